//! The plots, one file each, drawn to SVG and PNG.
//!
//! Colours are those of Okabe and Ito, which people with a colour-vision deficiency can tell apart; methods differ in the
//! shape of their marker as well.

mod auc_change_by_drift;
mod axes;
mod drift_bins;
mod drift_curve;
mod figure;
mod font;
mod legend;
mod local_ctr_histogram;
mod marker;
mod method_style;
mod metric_by_method;
mod palette;
mod ticks;

pub(crate) use auc_change_by_drift::AucChangeByDrift;
pub(crate) use drift_curve::DriftCurve;
pub(crate) use figure::{source, write_figure};
pub(crate) use local_ctr_histogram::LocalCtrHistogram;
pub(crate) use metric_by_method::{MetricByMethod, Quantity};

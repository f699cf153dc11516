//! Change of metrics from the cloud against planted drift, one line per method, one panel per model and metric.
//!
//! The change and not the metric: users of different targets are different users, and what sets them apart would hide
//! what the drift does.

use std::ops::Range;

use ctr_metrics::{Estimate, Metric};
use plotters::prelude::*;

use super::axes::{Axis, Place, dashed_line, line, panel};
use super::figure::{Canvas, Drawn, Figure, HEADER};
use super::legend::{draw_legend, legend_height};
use super::method_style::{is_dashed, method_marker};
use super::palette::INK;
use super::ticks::padded_range;
use crate::table::Summary;
use crate::{CLOUD, CurvePoint};

const METRICS: [Metric; 3] = [Metric::Gauc, Metric::Auc, Metric::LogLoss];
const PANEL_WIDTH: i32 = 430;
const PANEL_HEIGHT: i32 = 320;
/// Whiskers of all methods at one drift stand side by side within this share of the way to the next drift.
const WHISKERS_SHARE: f64 = 0.85;
const WIDEST_WHISKER_GAP_PIXELS: f64 = 3.0;
const WHISKER_OPACITY: f64 = 0.6;

/// The planted-drift curve of every model.
pub(crate) struct DriftCurve<'a> {
    models: Vec<&'a str>,
    methods: Vec<String>,
    seeds: usize,
    lines: Vec<Line<'a>>,
    /// From the lowest to the highest.
    drifts: Vec<f64>,
    drift_range: Range<f64>,
}

/// The change of one metric by one method on one model, by drift.
struct Line<'a> {
    model: &'a str,
    method: &'a str,
    metric: Metric,
    /// Drift, and the change there.
    points: Vec<(f64, Summary)>,
}

impl<'a> DriftCurve<'a> {
    /// `None` without points.
    pub(crate) fn new(curve: &'a [CurvePoint], global_ctr: f64) -> Option<Self> {
        let models = distinct(curve.iter().map(|point| point.model.as_str()));
        let methods = distinct(curve.iter().map(|point| point.method.as_str()));
        let mut targets: Vec<f64> = curve.iter().map(|point| point.target_ctr).collect();
        targets.sort_unstable_by(f64::total_cmp);
        targets.dedup();
        let mut seeds: Vec<u64> = curve.iter().map(|point| point.seed).collect();
        seeds.sort_unstable();
        seeds.dedup();
        let mut lines = Vec::new();
        for &model in &models {
            for &method in &methods {
                let of_line: Vec<&CurvePoint> =
                    curve.iter().filter(|point| point.model == model && point.method == method).collect();
                lines.extend(METRICS.map(|metric| {
                    let at = |target: f64| Some((target - global_ctr, change_at(&of_line, target, metric)?));
                    Line { model, method, metric, points: targets.iter().filter_map(|&target| at(target)).collect() }
                }));
            }
        }
        let drifts: Vec<f64> = targets.iter().map(|target| target - global_ctr).collect();
        Some(Self {
            models,
            methods: methods.into_iter().map(str::to_owned).collect(),
            seeds: seeds.len(),
            lines,
            drift_range: padded_range(drifts.iter().copied())?,
            drifts,
        })
    }

    fn draw_panel<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<DB>,
        model: &str,
        metric: Metric,
        place: Place,
    ) -> Drawn<DB> {
        let lines = || self.lines.iter().filter(|line| line.model == model && line.metric == metric);
        let values =
            lines().flat_map(|line| &line.points).flat_map(|(_, change)| [change.low, change.value, change.high]);
        let Some(range) = padded_range(values) else {
            return Ok(());
        };
        let x =
            Axis { range: self.drift_range.clone(), name: "planted drift (target CTR - global CTR)".into(), ticks: 7 };
        let y = Axis {
            range,
            name: format!("change of {metric}{}", if metric == Metric::LogLoss { " (nats)" } else { "" }),
            ticks: 6,
        };
        let panel = panel(canvas, place, &format!("{model}: {metric}"), &x, &y)?;
        if x.range.contains(&0.0) {
            dashed_line(canvas, &panel, &[(0.0, y.range.start), (0.0, y.range.end)], INK.mix(0.4))?;
        }
        let gap = self.whisker_gap_pixels(|drift| panel.backend_coord(&(drift, y.range.start)).0);
        for curve in lines() {
            let position = self.methods.iter().position(|method| method == curve.method).unwrap_or(0);
            let marker = method_marker(curve.method, position);
            let stroke = marker.color.stroke_width(2);
            let points: Vec<(f64, f64)> = curve.points.iter().map(|(drift, change)| (*drift, change.value)).collect();
            if is_dashed(&marker) {
                dashed_line(canvas, &panel, &points, stroke)?;
            } else {
                line(canvas, &panel, &points, stroke)?;
            }
            let beside = (gap * (position as f64 - (self.methods.len() - 1) as f64 / 2.0)).round() as i32;
            for (drift, change) in curve.points.iter().filter(|(_, change)| change.low < change.high) {
                let ends = [change.low, change.high].map(|end| panel.backend_coord(&(*drift, end)));
                let whisker = ends.map(|(x, y)| (x + beside, y)).to_vec();
                canvas.draw(&PathElement::new(whisker, marker.color.mix(WHISKER_OPACITY)))?;
            }
            for point in &points {
                marker.draw(canvas, panel.backend_coord(point))?;
            }
        }
        Ok(())
    }

    /// Between the whiskers of two methods at the same drift.
    fn whisker_gap_pixels(&self, pixel_of: impl Fn(f64) -> i32) -> f64 {
        let pixels: Vec<i32> = self.drifts.iter().map(|&drift| pixel_of(drift)).collect();
        let nearest = pixels.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap_or(PANEL_WIDTH);
        (WHISKERS_SHARE * f64::from(nearest) / self.methods.len() as f64).min(WIDEST_WHISKER_GAP_PIXELS)
    }

    fn width(&self) -> i32 {
        METRICS.len() as i32 * PANEL_WIDTH + 10
    }

    fn legend_height(&self) -> i32 {
        legend_height(&self.methods, self.width() - 32)
    }
}

impl Figure for DriftCurve<'_> {
    fn name(&self) -> String {
        "planted-drift-curve".into()
    }

    fn heading(&self) -> String {
        "Change from the cloud model against planted CTR drift".into()
    }

    fn note(&self) -> String {
        let seeds = if self.seeds > 1 { format!(", mean over {} seeds", self.seeds) } else { String::new() };
        format!(
            "Local sets resampled to a target CTR, the samples to rank untouched; each point: the users with that target{seeds}. \
             Thin: 95 % interval over users. Dashed vertical: no drift."
        )
    }

    fn size(&self) -> (u32, u32) {
        let panels = self.models.len() as i32 * PANEL_HEIGHT;
        (self.width() as u32, (HEADER + self.legend_height() + 12 + panels) as u32)
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Drawn<DB> {
        draw_legend(canvas, &self.methods, (16, HEADER), self.width() - 32)?;
        let top = HEADER + self.legend_height() + 12;
        for (row, model) in self.models.iter().enumerate() {
            for (column, metric) in METRICS.into_iter().enumerate() {
                let place = Place {
                    left: column as i32 * PANEL_WIDTH,
                    top: top + row as i32 * PANEL_HEIGHT,
                    width: PANEL_WIDTH,
                    height: PANEL_HEIGHT - 8,
                };
                self.draw_panel(canvas, model, metric, place)?;
            }
        }
        Ok(())
    }
}

fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut distinct = Vec::new();
    for name in names {
        if !distinct.contains(&name) {
            distinct.push(name);
        }
    }
    distinct
}

/// Change at one target over seeds; 0 for the cloud itself.
fn change_at(points: &[&CurvePoint], target: f64, metric: Metric) -> Option<Summary> {
    let change = |point: &&CurvePoint| match point.method.as_str() {
        CLOUD => Some(Estimate { value: 0.0, low: 0.0, high: 0.0 }),
        _ => point.change.get(metric.name()).copied(),
    };
    let seeds: Vec<Estimate> =
        points.iter().filter(|point| point.target_ctr == target).copied().filter_map(|point| change(&point)).collect();
    Summary::over_seeds(&seeds)
}

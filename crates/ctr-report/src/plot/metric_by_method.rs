//! Metric by model and method: dots with their intervals, one panel per model and metric.

use std::collections::BTreeMap;
use std::ops::Range;

use ctr_metrics::{Direction, Metric};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axes::{Axis, Panel, Place, dashed_line, line, panel};
use super::figure::{Canvas, Drawn, Figure, HEADER};
use super::font;
use super::method_style::method_marker;
use super::palette::INK;
use super::ticks::padded_range;
use crate::cell_record::CLOUD;
use crate::table::{Comparison, ComparisonRow, Summary};

const METRICS: [Metric; 3] = [Metric::Gauc, Metric::Auc, Metric::LogLoss];
const NAMES_WIDTH: i32 = 160;
const PANEL_WIDTH: i32 = 330;
const ROW_HEIGHT: i32 = 21;
/// Title and x axis of a panel.
const PANEL_FRAME: i32 = 84;

/// What is shown of each metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quantity {
    /// The metric itself.
    Value,
    /// Its change from the cloud.
    Change,
}

/// One protocol's comparison as dots and whiskers.
pub(crate) struct MetricByMethod<'a> {
    comparison: &'a Comparison,
    quantity: Quantity,
    ranges: BTreeMap<Metric, Range<f64>>,
}

impl<'a> MetricByMethod<'a> {
    /// `None` where there is nothing to show.
    pub(crate) fn new(comparison: &'a Comparison, quantity: Quantity) -> Option<Self> {
        let ends = |metric| {
            comparison
                .rows
                .iter()
                .filter_map(move |row| summary(row, metric, quantity))
                .flat_map(|summary| [summary.low, summary.value, summary.high])
                .chain((quantity == Quantity::Change).then_some(0.0))
        };
        let ranges = METRICS.into_iter().filter_map(|metric| Some((metric, padded_range(ends(metric))?))).collect();
        let any =
            comparison.rows.iter().any(|row| METRICS.iter().any(|&metric| summary(row, metric, quantity).is_some()));
        any.then_some(Self { comparison, quantity, ranges })
    }

    fn rows(&self, model: &'a str) -> Vec<&'a ComparisonRow> {
        self.comparison.rows_of(model).filter(|row| self.quantity == Quantity::Value || row.method != CLOUD).collect()
    }

    fn panel_height(&self, model: &'a str) -> i32 {
        PANEL_FRAME + ROW_HEIGHT * self.rows(model).len() as i32
    }

    fn axis_name(&self, metric: Metric) -> String {
        let unit = if metric == Metric::LogLoss { " (nats)" } else { "" };
        let better = match metric.direction() {
            Direction::Higher => "higher is better",
            Direction::Lower => "lower is better",
            Direction::ClosestToOne => "closest to 1 is best",
        };
        match self.quantity {
            Quantity::Value => format!("{metric}{unit}, {better}"),
            Quantity::Change => format!("change of {metric}{unit}, {better}"),
        }
    }

    fn draw_panel<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<DB>,
        model: &'a str,
        metric: Metric,
        place: Place,
        with_names: bool,
    ) -> Drawn<DB> {
        let Some(range) = self.ranges.get(&metric) else {
            return Ok(());
        };
        let rows = self.rows(model);
        let x = Axis { range: range.clone(), name: self.axis_name(metric), ticks: 5 };
        let y = Axis { range: -0.7..rows.len() as f64 - 0.3, name: String::new(), ticks: 0 };
        let panel = panel(canvas, place, &format!("{model}: {metric}"), &x, &y)?;
        if let Some(reference) = self.reference(&rows, metric) {
            let ends = [(reference, y.range.start), (reference, y.range.end)];
            dashed_line(canvas, &panel, &ends, INK)?;
        }
        for (position, row) in rows.iter().enumerate() {
            let height = (rows.len() - 1 - position) as f64;
            if with_names {
                draw_name(canvas, &panel, &row.method, place.left, height)?;
            }
            if let Some(summary) = summary(row, metric, self.quantity) {
                draw_dot(canvas, &panel, summary, &row.method, position, height)?;
            }
        }
        Ok(())
    }

    /// Where the cloud lies.
    fn reference(&self, rows: &[&ComparisonRow], metric: Metric) -> Option<f64> {
        match self.quantity {
            Quantity::Change => Some(0.0),
            Quantity::Value => {
                let cloud = rows.iter().find(|row| row.method == CLOUD)?;
                Some(cloud.metrics.get(&metric)?.value)
            }
        }
    }
}

impl Figure for MetricByMethod<'_> {
    fn name(&self) -> String {
        let quantity = match self.quantity {
            Quantity::Value => "metric",
            Quantity::Change => "change",
        };
        format!("{quantity}-by-method-{}", self.comparison.protocol)
    }

    fn heading(&self) -> String {
        let quantity = match self.quantity {
            Quantity::Value => "Metrics",
            Quantity::Change => "Change from the cloud model",
        };
        format!("{quantity} by model and method, {} protocol", self.comparison.protocol)
    }

    fn note(&self) -> String {
        let seeds = match self.comparison.seeds() {
            0 | 1 => "one seed".to_owned(),
            seeds => format!("mean over {seeds} seeds"),
        };
        format!("Marker: {seeds}. Whisker: 95 % interval by bootstrap over users. Dashed: cloud model, not fine-tuned.")
    }

    fn size(&self) -> (u32, u32) {
        let height: i32 = self.comparison.models().into_iter().map(|model| self.panel_height(model)).sum();
        ((NAMES_WIDTH + 3 * PANEL_WIDTH + 10) as u32, (HEADER + height) as u32)
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Drawn<DB> {
        let mut top = HEADER;
        for model in self.comparison.models() {
            let height = self.panel_height(model);
            for (column, metric) in METRICS.into_iter().enumerate() {
                let place = Place {
                    left: NAMES_WIDTH + column as i32 * PANEL_WIDTH,
                    top,
                    width: PANEL_WIDTH,
                    height: height - 8,
                };
                self.draw_panel(canvas, model, metric, place, column == 0)?;
            }
            top += height;
        }
        Ok(())
    }
}

fn summary(row: &ComparisonRow, metric: Metric, quantity: Quantity) -> Option<&Summary> {
    match quantity {
        Quantity::Value => row.metrics.get(&metric),
        Quantity::Change => row.change.get(&metric).map(|change| &change.summary),
    }
}

fn draw_name<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    panel: &Panel<DB>,
    method: &str,
    right: i32,
    height: f64,
) -> Drawn<DB> {
    let (_, y) = panel.backend_coord(&(panel.x_range().start, height));
    let style = font::regular(font::LABEL, &INK).pos(Pos::new(HPos::Right, VPos::Center));
    canvas.draw(&Text::new(method, (right, y), style))
}

fn draw_dot<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    panel: &Panel<DB>,
    summary: &Summary,
    method: &str,
    position: usize,
    height: f64,
) -> Drawn<DB> {
    let marker = method_marker(method, position);
    let stroke = marker.color.stroke_width(2);
    line(canvas, panel, &[(summary.low, height), (summary.high, height)], stroke)?;
    for end in [summary.low, summary.high] {
        line(canvas, panel, &[(end, height - 0.22), (end, height + 0.22)], stroke)?;
    }
    marker.draw(canvas, panel.backend_coord(&(summary.value, height)))
}

//! Axes of a panel.

use std::ops::Range;

use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use super::figure::{Canvas, Drawn};
use super::font;
use super::palette::{GRID, INK};
use super::ticks::tick_label;

/// A panel with its axes drawn.
pub(crate) type Panel<'a, DB> = ChartContext<'a, DB, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// One axis.
pub(crate) struct Axis {
    pub(crate) range: Range<f64>,
    /// Name with unit; may be empty.
    pub(crate) name: String,
    /// About how many numbers stand along it; 0 for none, then it has no grid lines either.
    pub(crate) ticks: usize,
}

/// A place for a panel on the canvas, pixels.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) left: i32,
    pub(crate) top: i32,
    pub(crate) width: i32,
    pub(crate) height: i32,
}

/// Draws title and axes and returns the panel to draw in.
pub(crate) fn panel<'a, DB: DrawingBackend + 'a>(
    canvas: &Canvas<DB>,
    place: Place,
    title: &str,
    x: &Axis,
    y: &Axis,
) -> Result<Panel<'a, DB>, DrawingAreaErrorKind<DB::ErrorType>> {
    let area = canvas.clone().shrink((place.left, place.top), (place.width, place.height));
    let mut chart = ChartBuilder::on(&area)
        .caption(title, font::bold(font::PANEL, &INK))
        .margin_left(6)
        .margin_right(14)
        .x_label_area_size(if x.name.is_empty() { 24 } else { 44 })
        .y_label_area_size(if y.ticks == 0 { 8 } else { 64 })
        .build_cartesian_2d(x.range.clone(), y.range.clone())?;
    let x_label = |value: &f64| tick_label(*value, &x.range, x.ticks);
    let y_label = |value: &f64| tick_label(*value, &y.range, y.ticks);
    chart
        .configure_mesh()
        .x_labels(x.ticks)
        .y_labels(y.ticks)
        .max_light_lines(0)
        .bold_line_style(GRID)
        .axis_style(INK)
        .label_style(font::regular(font::TICK, &INK))
        .x_label_formatter(&x_label)
        .y_label_formatter(&y_label)
        .axis_desc_style(font::regular(font::LABEL, &INK))
        .x_desc(&x.name)
        .y_desc(&y.name)
        .draw()?;
    Ok(chart)
}

/// A dashed line between two points of a panel.
pub(crate) fn dashed_line<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    panel: &Panel<DB>,
    points: &[(f64, f64)],
    style: impl Into<ShapeStyle>,
) -> Drawn<DB> {
    let pixels: Vec<(i32, i32)> = points.iter().map(|point| panel.backend_coord(point)).collect();
    canvas.draw(&plotters::element::DashedPathElement::new(pixels, 6, 4, style))
}

/// A line through points of a panel.
pub(crate) fn line<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    panel: &Panel<DB>,
    points: &[(f64, f64)],
    style: impl Into<ShapeStyle>,
) -> Drawn<DB> {
    let pixels: Vec<(i32, i32)> = points.iter().map(|point| panel.backend_coord(point)).collect();
    canvas.draw(&PathElement::new(pixels, style))
}

//! The legend of methods: markers and names in rows across the figure.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::figure::{Canvas, Drawn};
use super::font;
use super::method_style::{is_dashed, method_marker};
use super::palette::INK;

const ROW_HEIGHT: i32 = 24;
const LINE_LENGTH: i32 = 36;
/// Width that a character of a name takes on average in the legend's font, pixels, rounded up.
const CHARACTER: i32 = 9;

/// Height of the legend in a figure of that width.
pub(crate) fn legend_height(methods: &[String], width: i32) -> i32 {
    let columns = columns(methods, width);
    (methods.len() as i32 + columns - 1) / columns * ROW_HEIGHT
}

/// Draws one entry per method, row by row from the left.
pub(crate) fn draw_legend<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    methods: &[String],
    (left, top): (i32, i32),
    width: i32,
) -> Drawn<DB> {
    let columns = columns(methods, width);
    for (position, method) in methods.iter().enumerate() {
        let (row, column) = (position as i32 / columns, position as i32 % columns);
        let x = left + column * entry_width(methods);
        let y = top + row * ROW_HEIGHT + ROW_HEIGHT / 2;
        let marker = method_marker(method, position);
        let ends = [(x, y), (x + LINE_LENGTH, y)];
        let stroke = marker.color.stroke_width(2);
        if is_dashed(&marker) {
            canvas.draw(&plotters::element::DashedPathElement::new(ends, 6, 4, stroke))?;
        } else {
            canvas.draw(&PathElement::new(ends, stroke))?;
        }
        marker.draw(canvas, (x + LINE_LENGTH / 2, y))?;
        let style = font::regular(font::LABEL, &INK).pos(Pos::new(HPos::Left, VPos::Center));
        canvas.draw(&Text::new(method.as_str(), (x + LINE_LENGTH + 8, y), style))?;
    }
    Ok(())
}

fn entry_width(methods: &[String]) -> i32 {
    let longest = methods.iter().map(|method| method.chars().count()).max().unwrap_or(0);
    LINE_LENGTH + 16 + longest as i32 * CHARACTER
}

fn columns(methods: &[String], width: i32) -> i32 {
    (width / entry_width(methods)).max(1)
}

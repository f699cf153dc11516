//! Twelve marker shapes that stay distinct without colour.

use plotters::prelude::*;

use super::figure::{Canvas, Drawn};

/// Half the extent of a marker, pixels.
const RADIUS: i32 = 5;

/// Outline of a marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Circle,
    Square,
    TriangleUp,
    TriangleDown,
    Diamond,
    /// Strokes from corner to corner.
    Cross,
    /// A cross with a vertical stroke, which stays visible on a horizontal whisker.
    Asterisk,
}

/// A shape, filled or with a white inside. Strokes have no inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marker {
    pub(crate) shape: Shape,
    pub(crate) filled: bool,
    pub(crate) color: RGBColor,
}

impl Marker {
    /// Draws the marker centred on a pixel.
    pub(crate) fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, center: (i32, i32)) -> Drawn<DB> {
        let stroke = self.color.stroke_width(2);
        let around = |(dx, dy): &(i32, i32)| (center.0 + dx, center.1 + dy);
        match self.shape {
            Shape::Circle => {
                let inside = if self.filled { self.color } else { WHITE };
                canvas.draw(&Circle::new(center, RADIUS, inside.filled()))?;
                canvas.draw(&Circle::new(center, RADIUS, stroke))
            }
            Shape::Cross | Shape::Asterisk => {
                for line in strokes(self.shape) {
                    canvas.draw(&PathElement::new(line.iter().map(around).collect::<Vec<_>>(), stroke))?;
                }
                Ok(())
            }
            Shape::Square | Shape::TriangleUp | Shape::TriangleDown | Shape::Diamond => {
                let mut corners: Vec<(i32, i32)> = corners(self.shape).iter().map(around).collect();
                let inside = if self.filled { self.color } else { WHITE };
                canvas.draw(&Polygon::new(corners.clone(), inside.filled()))?;
                corners.push(corners[0]);
                canvas.draw(&PathElement::new(corners, stroke))
            }
        }
    }
}

fn strokes(shape: Shape) -> &'static [[(i32, i32); 2]] {
    const R: i32 = RADIUS;
    match shape {
        Shape::Cross => &[[(-R, -R), (R, R)], [(-R, R), (R, -R)]],
        _ => &[[(-R, 3 - R), (R, R - 3)], [(-R, R - 3), (R, 3 - R)], [(0, -R - 1), (0, R + 1)]],
    }
}

fn corners(shape: Shape) -> &'static [(i32, i32)] {
    const R: i32 = RADIUS;
    match shape {
        Shape::TriangleUp => &[(0, -R), (R, R - 1), (-R, R - 1)],
        Shape::TriangleDown => &[(0, R), (R, 1 - R), (-R, 1 - R)],
        Shape::Diamond => &[(0, -R - 1), (R + 1, 0), (0, R + 1), (-R - 1, 0)],
        _ => &[(1 - R, 1 - R), (R - 1, 1 - R), (R - 1, R - 1), (1 - R, R - 1)],
    }
}

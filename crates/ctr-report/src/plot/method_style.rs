//! How each method looks, the same in every plot.

use super::marker::{Marker, Shape};
use super::palette::{BLACK, BLUE, BLUISH_GREEN, ORANGE, REDDISH_PURPLE, SKY_BLUE, VERMILLION};

/// The methods of ctrbench. The corrections that most readers compare come first and have colours of their own; the
/// others repeat a colour with another shape.
const STYLES: [(&str, Marker); 12] = [
    ("cloud", marker(Shape::Diamond, true, BLACK)),
    ("none", marker(Shape::Cross, true, VERMILLION)),
    ("prior-alignment", marker(Shape::Circle, true, BLUE)),
    ("cloud-anchored", marker(Shape::Square, true, BLUISH_GREEN)),
    ("importance-weight", marker(Shape::TriangleUp, true, REDDISH_PURPLE)),
    ("logit-adjustment", marker(Shape::TriangleDown, true, ORANGE)),
    ("shift", marker(Shape::Asterisk, true, SKY_BLUE)),
    ("smoothing", marker(Shape::Circle, false, SKY_BLUE)),
    ("bias-only", marker(Shape::Diamond, false, BLACK)),
    ("l2-sp", marker(Shape::Square, false, VERMILLION)),
    ("head-only", marker(Shape::TriangleUp, false, BLUISH_GREEN)),
    ("embedding-only", marker(Shape::TriangleDown, false, REDDISH_PURPLE)),
];

const fn marker(shape: Shape, filled: bool, color: plotters::style::RGBColor) -> Marker {
    Marker { shape, filled, color }
}

/// The marker of a method. A method that is not in the list takes a style by its position in the figure.
pub(crate) fn method_marker(method: &str, position: usize) -> Marker {
    STYLES.iter().find(|(name, _)| *name == method).unwrap_or(&STYLES[position % STYLES.len()]).1
}

/// Whether the line of a method is dashed: those with an open marker, which share a colour with another method.
pub(crate) fn is_dashed(marker: &Marker) -> bool {
    !marker.filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_methods_share_a_shape() {
        for (index, (name, style)) in STYLES.iter().enumerate() {
            for (other_name, other) in &STYLES[..index] {
                let same = style.shape == other.shape && style.filled == other.filled;
                assert!(!same, "{name} and {other_name} look alike without colour");
            }
        }
    }
}

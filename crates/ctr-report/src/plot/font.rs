//! The font that comes with the program, so that a machine without fonts draws the same plots.

use std::sync::OnceLock;

use plotters::style::{FontStyle, IntoFont, RGBColor, TextStyle, register_font};

/// Registered under a name that every SVG viewer knows too.
const FAMILY: &str = "sans-serif";

// Sizes are even: plotters 0.3.7 halves them to place a glyph, and an odd size lifts full stops off the line.

/// Heading of a figure, pixels.
pub(crate) const HEADING: u32 = 20;
/// Heading of a panel, pixels.
pub(crate) const PANEL: u32 = 16;
/// Axis names, legend and notes, pixels.
pub(crate) const LABEL: u32 = 14;
/// Numbers along an axis, pixels.
pub(crate) const TICK: u32 = 12;

/// Makes the font known to plotters; later calls do nothing.
pub(crate) fn register() -> Result<(), String> {
    static REGISTERED: OnceLock<Result<(), String>> = OnceLock::new();
    REGISTERED
        .get_or_init(|| {
            for (style, bytes) in
                [(FontStyle::Normal, dejavu::sans::regular()), (FontStyle::Bold, dejavu::sans::bold())]
            {
                register_font(FAMILY, style, bytes).map_err(|_| "the built-in font cannot be read".to_owned())?;
            }
            Ok(())
        })
        .clone()
}

pub(crate) fn regular(size: u32, color: &RGBColor) -> TextStyle<'static> {
    (FAMILY, size).into_font().color(color)
}

pub(crate) fn bold(size: u32, color: &RGBColor) -> TextStyle<'static> {
    (FAMILY, size, FontStyle::Bold).into_font().color(color)
}

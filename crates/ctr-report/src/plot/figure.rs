//! A figure and its two files.

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use super::font;
use super::palette::INK;
use crate::atomic_file::{write_bytes, write_with};
use crate::table::Comparison;
use crate::{ReportError, RunRecord};

/// A surface in pixels.
pub(crate) type Canvas<DB> = DrawingArea<DB, Shift>;

/// Outcome of drawing on a backend.
pub(crate) type Drawn<DB> = Result<(), DrawingAreaErrorKind<<DB as DrawingBackend>::ErrorType>>;

/// Height of the heading, the note and the source that every figure begins with, pixels.
pub(crate) const HEADER: i32 = 86;

/// Something to draw on any backend.
pub(crate) trait Figure {
    /// Name of its files, without extension.
    fn name(&self) -> String;

    /// Heading: what is shown.
    fn heading(&self) -> String;

    /// One line below the heading: how to read it.
    fn note(&self) -> String;

    /// Width and height in pixels.
    fn size(&self) -> (u32, u32);

    /// Draws everything below the header. The canvas is white, of [`Figure::size`].
    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Drawn<DB>;
}

/// Run, dataset and device of what is shown.
pub(crate) fn source(record: &RunRecord) -> String {
    let cloud = Comparison::of_cloud_models(record);
    format!("Run {}/{}: {}, {}", record.name, record.run_id, cloud.dataset, cloud.computed_on())
}

/// Writes `<name>.svg` and `<name>.png` into `folder`, with `source` below the heading and the note.
pub(crate) fn write_figure(folder: &Path, figure: &impl Figure, source: &str) -> Result<(), ReportError> {
    let failed = |message: String| ReportError::Plot { plot: figure.name(), message };
    font::register().map_err(failed)?;

    let mut svg = String::new();
    let canvas = SVGBackend::with_string(&mut svg, figure.size()).into_drawing_area();
    draw_all(figure, source, &canvas).map_err(|error| failed(error.to_string()))?;
    drop(canvas);
    write_bytes(&folder.join(format!("{}.svg", figure.name())), svg.as_bytes())?;

    write_with(&folder.join(format!("{}.png", figure.name())), |temporary| {
        let canvas = BitMapBackend::new(temporary, figure.size()).into_drawing_area();
        draw_all(figure, source, &canvas).map_err(|error| failed(error.to_string()))
    })
}

fn draw_all<DB: DrawingBackend>(figure: &impl Figure, source: &str, canvas: &Canvas<DB>) -> Drawn<DB> {
    canvas.fill(&WHITE)?;
    canvas.draw(&Text::new(figure.heading(), (16, 14), font::bold(font::HEADING, &INK)))?;
    canvas.draw(&Text::new(figure.note(), (16, 42), font::regular(font::LABEL, &INK)))?;
    canvas.draw(&Text::new(source, (16, 63), font::regular(font::TICK, &INK)))?;
    figure.draw(canvas)?;
    canvas.present()
}

//! How local CTRs spread around the global one, one panel per protocol.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axes::{Axis, Panel, Place, line, panel};
use super::figure::{Canvas, Drawn, Figure, HEADER};
use super::font;
use super::palette::{INK, SKY_BLUE, VERMILLION};
use crate::UserRows;
use ctr_metrics::{mean, sample_standard_deviation};

/// Bins are centred on the multiples of 0.05, where planted CTRs lie; the outermost hold the users of one class.
const BINS: usize = 21;
const BIN_WIDTH: f64 = 0.05;
const PANEL_WIDTH: i32 = 560;
const PANEL_HEIGHT: i32 = 380;

/// The local CTR of every user, by protocol.
pub(crate) struct LocalCtrHistogram {
    global_ctr: f64,
    protocols: Vec<(String, Vec<f64>)>,
}

impl LocalCtrHistogram {
    /// `None` without users. The local sets of a protocol are the same for every model and method; where they differ by
    /// seed (planted drift) the panel shows the first seed and says so.
    pub(crate) fn new(users: &UserRows) -> Option<Self> {
        let mut protocols: Vec<(String, Vec<f64>)> = Vec::new();
        for block in users.blocks().iter().filter(|block| !block.rows.is_empty()) {
            if protocols.iter().all(|(protocol, _)| !protocol.starts_with(&block.protocol)) {
                protocols.push((
                    format!("{}, seed {}", block.protocol, block.seed),
                    block.rows.iter().map(|row| row.local_ctr).collect(),
                ));
            }
        }
        (!protocols.is_empty()).then(|| Self { global_ctr: users.global_ctr(), protocols })
    }

    fn draw_panel<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<DB>,
        protocol: &str,
        local_ctrs: &[f64],
        place: Place,
    ) -> Drawn<DB> {
        let counts = counts(local_ctrs);
        let highest = counts.iter().copied().max().unwrap_or(1) as f64;
        let x =
            Axis { range: edge(0)..edge(BINS), name: "local CTR of a user (positives / samples)".into(), ticks: 11 };
        let y = Axis {
            // Room for the label of the global CTR above the bars.
            range: 0.0..1.15 * highest,
            name: "users".into(),
            ticks: 6,
        };
        let mut panel = panel(canvas, place, &title(protocol, local_ctrs), &x, &y)?;
        panel.draw_series(counts.iter().enumerate().map(|(bin, &count)| {
            let mut bar = Rectangle::new([(edge(bin), 0.0), (edge(bin + 1), count as f64)], SKY_BLUE.filled());
            bar.set_margin(0, 0, 1, 1);
            bar
        }))?;
        self.draw_global(canvas, &panel, y.range.end)
    }

    fn draw_global<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, panel: &Panel<DB>, top: f64) -> Drawn<DB> {
        let ends = [(self.global_ctr, 0.0), (self.global_ctr, top)];
        line(canvas, panel, &ends, VERMILLION.stroke_width(3))?;
        let (x, y) = panel.backend_coord(&(self.global_ctr, top));
        // On the side with more room.
        let (side, x) = if self.global_ctr < 0.5 { (HPos::Left, x + 6) } else { (HPos::Right, x - 6) };
        let style = font::bold(font::LABEL, &INK).pos(Pos::new(side, VPos::Top));
        canvas.draw(&Text::new(format!("global CTR {:.3}", self.global_ctr), (x, y + 4), style))
    }
}

impl Figure for LocalCtrHistogram {
    fn name(&self) -> String {
        "local-ctr-histogram".into()
    }

    fn heading(&self) -> String {
        "Local CTR of the users".into()
    }

    fn note(&self) -> String {
        format!("Users evaluated, by the label rate of the samples that they fine-tune on; bins of width {BIN_WIDTH}.")
    }

    fn size(&self) -> (u32, u32) {
        // The heading and the note need the width of more than one panel.
        let width = (self.protocols.len() as i32 * PANEL_WIDTH).max(740);
        (width as u32, (HEADER + PANEL_HEIGHT) as u32)
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Drawn<DB> {
        let width = self.size().0 as i32 / self.protocols.len() as i32;
        for (column, (protocol, local_ctrs)) in self.protocols.iter().enumerate() {
            let place = Place { left: column as i32 * width, top: HEADER, width, height: PANEL_HEIGHT - 8 };
            self.draw_panel(canvas, protocol, local_ctrs, place)?;
        }
        Ok(())
    }
}

/// Lower edge of a bin.
fn edge(bin: usize) -> f64 {
    (bin as f64 - 0.5) * BIN_WIDTH
}

/// Users per bin. Local CTRs lie in [0, 1].
fn counts(local_ctrs: &[f64]) -> [usize; BINS] {
    let mut counts = [0; BINS];
    for ctr in local_ctrs {
        counts[((ctr / BIN_WIDTH).round() as usize).min(BINS - 1)] += 1;
    }
    counts
}

fn title(protocol: &str, local_ctrs: &[f64]) -> String {
    let mean = mean(local_ctrs).unwrap_or(f64::NAN);
    let spread = sample_standard_deviation(local_ctrs).map_or_else(String::new, |spread| format!(", sd {spread:.3}"));
    format!("{protocol}: {} users, mean {mean:.3}{spread}", local_ctrs.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_of_one_class_fall_into_the_outer_bins() {
        let counts = counts(&[0.0, 0.02, 0.03, 0.5, 0.98, 1.0]);
        assert_eq!((counts[0], counts[1], counts[10], counts[20]), (2, 1, 1, 2));
        assert_eq!(counts.iter().sum::<usize>(), 6);
    }
}

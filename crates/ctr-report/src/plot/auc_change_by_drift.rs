//! What fine-tuning did to each user's AUC, against the drift of the user's local CTR: one panel per method.

use std::ops::Range;

use plotters::prelude::*;

use super::axes::{Axis, Panel, Place, dashed_line, line, panel};
use super::drift_bins::{BIN_WIDTH, FEWEST_USERS, UserChange, drift_bins};
use super::figure::{Canvas, Drawn, Figure, HEADER};
use super::method_style::method_marker;
use super::palette::{HAZE, INK};
use super::ticks::padded_range;
use crate::cell_record::CLOUD;
use crate::{UserBlock, UserRows};

const COLUMNS: usize = 4;
const PANEL_WIDTH: i32 = 330;
const PANEL_HEIGHT: i32 = 280;
/// Points drawn per panel; more make a grey area and a large file.
const MOST_POINTS: usize = 1_000;
/// Share of the points that the y axis leaves out at either end: a few users with two test samples jump by a whole AUC
/// and would press all means into a line.
const CUT_SHARE: f64 = 0.05;

/// One model under one protocol.
pub(crate) struct AucChangeByDrift<'a> {
    protocol: &'a str,
    model: &'a str,
    methods: Vec<(&'a str, Vec<UserChange>)>,
    drift_range: Range<f64>,
    change_range: Range<f64>,
}

impl<'a> AucChangeByDrift<'a> {
    /// One figure per protocol and model with fine-tuned users.
    pub(crate) fn all(users: &'a UserRows) -> Vec<Self> {
        let mut figures: Vec<(&str, &str)> = Vec::new();
        for block in users.blocks() {
            let figure = (block.protocol.as_str(), block.model.as_str());
            if !figures.contains(&figure) {
                figures.push(figure);
            }
        }
        figures.into_iter().filter_map(|(protocol, model)| Self::new(users, protocol, model)).collect()
    }

    fn new(users: &'a UserRows, protocol: &'a str, model: &'a str) -> Option<Self> {
        let mut methods: Vec<(&str, Vec<UserChange>)> = Vec::new();
        let of_figure =
            |block: &&UserBlock| block.protocol == protocol && block.model == model && block.method != CLOUD;
        for block in users.blocks().iter().filter(of_figure) {
            let changes = block.rows.iter().map(|row| UserChange {
                user: row.user,
                drift: users.drift(row),
                change: row.auc - row.auc_cloud,
                target_ctr: row.target_ctr,
            });
            match methods.iter_mut().find(|(method, _)| *method == block.method) {
                Some((_, known)) => known.extend(changes),
                None => methods.push((&block.method, changes.collect())),
            }
        }
        let drift_range = padded_range(methods.iter().flat_map(|(_, changes)| changes).map(|change| change.drift))?;
        let change_range = change_range(&methods)?;
        Some(Self { protocol, model, methods, drift_range, change_range })
    }

    fn draw_panel<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, position: usize, place: Place) -> Drawn<DB> {
        let (method, changes) = &self.methods[position];
        let x = Axis { range: self.drift_range.clone(), name: "CTR drift (local - global)".into(), ticks: 5 };
        let y = Axis {
            range: self.change_range.clone(),
            name: if position.is_multiple_of(COLUMNS) { "change of user AUC".into() } else { String::new() },
            ticks: 6,
        };
        let mut panel = panel(canvas, place, method, &x, &y)?;
        panel.draw_series(
            sample(changes)
                .filter(|change| self.change_range.contains(&change.change))
                .map(|change| Circle::new((change.drift, change.change), 2, HAZE.mix(0.5).filled())),
        )?;
        dashed_line(canvas, &panel, &[(x.range.start, 0.0), (x.range.end, 0.0)], INK)?;
        self.draw_means(canvas, &panel, position)
    }

    fn draw_means<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, panel: &Panel<DB>, position: usize) -> Drawn<DB> {
        let (method, changes) = &self.methods[position];
        // The cloud has no panel here but the first style.
        let marker = method_marker(method, position + 1);
        let stroke = marker.color.stroke_width(2);
        let bins = drift_bins(changes);
        let means: Vec<(f64, f64)> = bins.iter().map(|bin| (bin.drift, bin.mean)).collect();
        line(canvas, panel, &means, stroke)?;
        for bin in &bins {
            let ends = [(bin.drift, bin.mean - bin.half_width), (bin.drift, bin.mean + bin.half_width)];
            line(canvas, panel, &ends, stroke)?;
            marker.draw(canvas, panel.backend_coord(&(bin.drift, bin.mean)))?;
        }
        Ok(())
    }
}

/// About [`MOST_POINTS`] of the changes. Every n-th would do only if users came in no order that n divides, so the
/// position is scattered over the 64-bit numbers (by the golden ratio, Knuth's multiplicative hashing) and a share taken.
fn sample(changes: &[UserChange]) -> impl Iterator<Item = &UserChange> {
    const GOLDEN_RATIO: u64 = 0x9E37_79B9_7F4A_7C15;
    let share = (MOST_POINTS as f64 / changes.len().max(1) as f64).min(1.0);
    let kept_below = (share * u64::MAX as f64) as u64;
    changes
        .iter()
        .enumerate()
        .filter(move |(position, _)| (*position as u64).wrapping_mul(GOLDEN_RATIO) <= kept_below)
        .map(|(_, change)| change)
}

/// Range of the central points of all panels and of all bins with their intervals.
fn change_range(methods: &[(&str, Vec<UserChange>)]) -> Option<Range<f64>> {
    let mut changes: Vec<f64> =
        methods.iter().flat_map(|(_, changes)| changes).map(|change| change.change).filter(|c| c.is_finite()).collect();
    changes.sort_unstable_by(f64::total_cmp);
    let cut = (changes.len() as f64 * CUT_SHARE) as usize;
    let central = changes.get(cut..changes.len() - cut)?;
    let bins = methods.iter().flat_map(|(_, changes)| drift_bins(changes));
    let ends = bins.flat_map(|bin| [bin.mean - bin.half_width, bin.mean + bin.half_width]);
    padded_range(central.iter().copied().chain(ends).chain([0.0]))
}

impl Figure for AucChangeByDrift<'_> {
    fn name(&self) -> String {
        format!("auc-change-by-drift-{}-{}", self.protocol, self.model)
    }

    fn heading(&self) -> String {
        format!("Change of each user's AUC against CTR drift: {}, {} protocol", self.model, self.protocol)
    }

    fn note(&self) -> String {
        format!(
            "Marker: mean over the users in a bin of drift of width {BIN_WIDTH}, or with one planted CTR ({FEWEST_USERS} users at least) with its \
             95 % interval. Points: single users, about {MOST_POINTS} per panel at most; the outermost are cut off."
        )
    }

    fn size(&self) -> (u32, u32) {
        let rows = self.methods.len().div_ceil(COLUMNS) as i32;
        ((COLUMNS as i32 * PANEL_WIDTH + 10) as u32, (HEADER + rows * PANEL_HEIGHT) as u32)
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Drawn<DB> {
        for position in 0..self.methods.len() {
            let place = Place {
                left: (position % COLUMNS) as i32 * PANEL_WIDTH,
                top: HEADER + (position / COLUMNS) as i32 * PANEL_HEIGHT,
                width: PANEL_WIDTH,
                height: PANEL_HEIGHT - 8,
            };
            self.draw_panel(canvas, position, place)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(count: u32) -> Vec<UserChange> {
        (0..count).map(|user| UserChange { user, drift: 0.0, change: 0.0, target_ctr: None }).collect()
    }

    #[test]
    fn few_points_are_all_drawn_and_many_are_thinned_evenly() {
        assert_eq!(sample(&changes(1_000)).count(), 1_000);
        let many = changes(9_000);
        let mut of_residue = [0; 6];
        sample(&many).for_each(|change| of_residue[change.user as usize % 6] += 1);
        assert!(of_residue.iter().all(|count| (140..195).contains(count)), "{of_residue:?}");
    }
}

//! Whether a change was shown, and which way.

use ctr_metrics::{Direction, Metric};
use serde::{Deserialize, Serialize};

/// Of fewer users nothing is shown: resamples of a handful of users hardly differ, so their intervals are too narrow.
pub const FEWEST_USERS_TO_SHOW: u64 = 20;

/// A change beside its baseline. Shown means that the interval of every seed lies on the same side of zero, over
/// [`FEWEST_USERS_TO_SHOW`] users or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// Shown, for the better.
    Better,
    /// Shown, for the worse.
    Worse,
    /// Not shown.
    NotShown,
}

impl Mark {
    /// The mark of a change. `baseline` and `value` are the metric's values, `intervals` the ends of each seed's change,
    /// `users` the users of the seed that has the fewest.
    pub(crate) fn new(metric: Metric, baseline: f64, value: f64, intervals: &[(f64, f64)], users: u64) -> Self {
        let above = intervals.iter().all(|(low, _)| *low > 0.0);
        let below = intervals.iter().all(|(_, high)| *high < 0.0);
        // The interval is of the signed change. Across the best value it says nothing of which side lies nearer.
        let crosses = metric.direction() == Direction::ClosestToOne && (baseline - 1.0) * (value - 1.0) < 0.0;
        if users < FEWEST_USERS_TO_SHOW || intervals.is_empty() || above == below || crosses {
            Mark::NotShown
        } else if metric.direction().gain(baseline, value) > 0.0 {
            Mark::Better
        } else {
            Mark::Worse
        }
    }

    /// One character: a triangle that points up for better, down for worse, a space for neither.
    pub fn symbol(self) -> char {
        match self {
            Mark::Better => '▲',
            Mark::Worse => '▼',
            Mark::NotShown => ' ',
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_seed_must_exclude_zero_on_the_same_side() {
        let mark = |intervals: &[(f64, f64)]| Mark::new(Metric::Auc, 0.75, 0.80, intervals, 20);
        assert_eq!(mark(&[(0.01, 0.09), (0.02, 0.08)]), Mark::Better);
        assert_eq!(mark(&[(0.01, 0.09), (-0.02, 0.08)]), Mark::NotShown);
        assert_eq!(mark(&[(0.01, 0.09), (-0.08, -0.02)]), Mark::NotShown);
        assert_eq!(mark(&[(0.0, 0.0)]), Mark::NotShown);
        assert_eq!(mark(&[]), Mark::NotShown);
        assert_eq!(Mark::new(Metric::Auc, 0.75, 0.80, &[(0.01, 0.09)], 19), Mark::NotShown, "too few users");
    }

    #[test]
    fn better_follows_the_direction_of_the_metric() {
        assert_eq!(Mark::new(Metric::LogLoss, 0.58, 0.54, &[(-0.05, -0.03)], 20), Mark::Better);
        assert_eq!(Mark::new(Metric::Auc, 0.80, 0.75, &[(-0.06, -0.04)], 20), Mark::Worse);
        assert_eq!(Mark::new(Metric::CalibrationRatio, 0.8, 0.95, &[(0.1, 0.2)], 20), Mark::Better);
        let across = Mark::new(Metric::CalibrationRatio, 1.0255, 0.9769, &[(-0.06, -0.04)], 20);
        assert_eq!(across, Mark::NotShown, "the distance from 1 hardly changed");
        assert_eq!(Mark::new(Metric::CalibrationRatio, 1.1, 1.3, &[(0.1, 0.3)], 20), Mark::Worse);
    }
}

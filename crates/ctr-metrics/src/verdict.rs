//! Whether a candidate is better than a baseline: one rule for ranking, loss and speed.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Estimate;

/// Attempts (seeds, or interleaved timing rounds) that must point the way of the effect before it is believed.
const ATTEMPTS_TO_AGREE: usize = 3;

/// Outcome of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Better by more than the bar.
    Improved,
    /// Worse by more than the bar.
    Regressed,
    /// No difference that matters was shown, and one would have been seen.
    Unchanged,
    /// No difference was shown, but the interval is too wide to rule one out.
    Inconclusive,
}

/// The verdict on a candidate whose gain over the baseline is `gain` (positive is better: see
/// [`Direction::gain`](crate::Direction::gain)), with the gain of each attempt in `attempts`.
///
/// `Improved` or `Regressed` only if the gain exceeds `bar`, its interval excludes zero, and at least three attempts point
/// the same way; else `Inconclusive` if the interval is wider than the bar, and `Unchanged` if it is not. `bar` is the
/// smallest gain that matters, at least 0, in the unit of the metric.
pub fn verdict(gain: &Estimate, attempts: &[f64], bar: f64) -> Verdict {
    let agreeing = attempts.iter().filter(|attempt| **attempt * gain.value > 0.0).count();
    let shown = gain.value.abs() > bar && gain.excludes_zero() && agreeing >= ATTEMPTS_TO_AGREE;
    if shown && gain.value > 0.0 {
        Verdict::Improved
    } else if shown {
        Verdict::Regressed
    } else if gain.high - gain.low > bar {
        Verdict::Inconclusive
    } else {
        Verdict::Unchanged
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verdict::Improved => "improved",
            Verdict::Regressed => "regressed",
            Verdict::Unchanged => "unchanged",
            Verdict::Inconclusive => "inconclusive",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BAR: f64 = 0.002;

    fn judge(value: f64, low: f64, high: f64, attempts: &[f64]) -> Verdict {
        verdict(&Estimate { value, low, high }, attempts, BAR)
    }

    #[test]
    fn a_clear_effect_in_three_attempts_decides() {
        assert_eq!(judge(0.01, 0.004, 0.016, &[0.01, 0.008, 0.012]), Verdict::Improved);
        assert_eq!(judge(-0.01, -0.016, -0.004, &[-0.01, -0.008, -0.012]), Verdict::Regressed);
    }

    #[test]
    fn two_attempts_or_a_dissenting_third_do_not() {
        assert_eq!(judge(0.01, 0.004, 0.016, &[0.01, 0.01]), Verdict::Inconclusive);
        assert_eq!(judge(0.01, 0.004, 0.016, &[0.01, 0.022, -0.002]), Verdict::Inconclusive);
        assert_eq!(judge(0.01, 0.004, 0.016, &[0.01, 0.022, 0.0]), Verdict::Inconclusive);
    }

    #[test]
    fn an_interval_that_holds_zero_does_not_decide() {
        assert_eq!(judge(0.01, -0.001, 0.021, &[0.01; 3]), Verdict::Inconclusive);
    }

    #[test]
    fn an_effect_up_to_the_bar_is_unchanged_if_the_interval_is_narrow() {
        assert_eq!(judge(0.001, 0.0005, 0.0015, &[0.001; 5]), Verdict::Unchanged);
        assert_eq!(judge(0.002, 0.0015, 0.0025, &[0.002; 5]), Verdict::Unchanged);
        assert_eq!(judge(0.0, -0.001, 0.001, &[0.0; 5]), Verdict::Unchanged);
        assert_eq!(judge(0.001, -0.001, 0.003, &[0.001; 5]), Verdict::Inconclusive);
    }
}

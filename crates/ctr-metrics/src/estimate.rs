//! A value and its interval.

use serde::{Deserialize, Serialize};

/// A value with the ends of its confidence interval, in the unit of the metric.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The value on all users.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

impl Estimate {
    /// Whether the interval lies wholly above or wholly below zero.
    pub fn excludes_zero(&self) -> bool {
        self.low > 0.0 || self.high < 0.0
    }

    /// Percentile interval of `draws` around `value`: the quantiles at `(1 - confidence) / 2` and its mirror image, linear
    /// between neighbours as numpy's default. `draws` must not be empty.
    pub(crate) fn percentile(value: f64, mut draws: Vec<f64>, confidence: f64) -> Self {
        draws.sort_unstable_by(f64::total_cmp);
        let tail = (1.0 - confidence) / 2.0;
        Self { value, low: quantile(&draws, tail), high: quantile(&draws, 1.0 - tail) }
    }
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    let position = share * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (position - below as f64) * (sorted[above] - sorted[below])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ```python
    /// import numpy as np
    /// np.quantile([3.0, -1.0, 4.0, 1.0, 5.5], [0.05, 0.95])
    /// ```
    #[test]
    fn interval_ends_are_numpys_quantiles() {
        let estimate = Estimate::percentile(2.0, vec![3.0, -1.0, 4.0, 1.0, 5.5], 0.9);
        assert!((estimate.low - -0.6).abs() < 1e-12, "{estimate:?}");
        assert!((estimate.high - 5.2).abs() < 1e-12, "{estimate:?}");
        assert_eq!(estimate.value, 2.0);
    }

    #[test]
    fn an_interval_that_touches_zero_does_not_exclude_it() {
        let between = |low, high| Estimate { value: 0.0, low, high }.excludes_zero();
        assert!(between(0.1, 0.2) && between(-0.2, -0.1));
        assert!(!between(0.0, 0.2) && !between(-0.2, 0.0) && !between(-0.1, 0.1));
    }
}

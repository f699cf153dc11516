//! A metric over the seeds of one model and method.

use ctr_metrics::{Estimate, Metric, mean, sample_standard_deviation};
use serde::{Deserialize, Serialize};

use super::Mark;

/// Mean over seeds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Mean over the seeds.
    pub value: f64,
    /// Sample standard deviation over the seeds (n - 1); `None` for one seed.
    pub standard_deviation: Option<f64>,
    /// Lower end of the interval over users, mean over the seeds.
    pub low: f64,
    /// Upper end of the interval over users, mean over the seeds.
    pub high: f64,
}

/// Mean change from the cloud over seeds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The change, in the unit of the metric.
    #[serde(flatten)]
    pub summary: Summary,
    /// Whether it was shown.
    pub mark: Mark,
}

impl Summary {
    /// `None` without seeds.
    pub(crate) fn over_seeds(seeds: &[Estimate]) -> Option<Self> {
        let column = |of: fn(&Estimate) -> f64| seeds.iter().map(of).collect::<Vec<f64>>();
        let values = column(|seed| seed.value);
        Some(Self {
            value: mean(&values)?,
            standard_deviation: sample_standard_deviation(&values),
            low: mean(&column(|seed| seed.low))?,
            high: mean(&column(|seed| seed.high))?,
        })
    }
}

impl Change {
    /// `value` is the mean of the metric after the change, `users` the users of the seed that has the fewest.
    pub(crate) fn over_seeds(metric: Metric, value: f64, changes: &[Estimate], users: u64) -> Option<Self> {
        let summary = Summary::over_seeds(changes)?;
        let intervals: Vec<(f64, f64)> = changes.iter().map(|change| (change.low, change.high)).collect();
        Some(Self { summary, mark: Mark::new(metric, value - summary.value, value, &intervals, users) })
    }
}

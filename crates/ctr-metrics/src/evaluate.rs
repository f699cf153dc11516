//! All metrics of one evaluation.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::resampled::Prepared;
use crate::{Bootstrap, Estimate, Metric, MetricError, Resampled, Scored, UserCounts};

/// Metrics with intervals, and their change from a baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Users counted and left out by the metrics of ranking within users.
    pub users: UserCounts,
    /// Each metric that the samples define.
    pub metrics: BTreeMap<Metric, Estimate>,
    /// Value minus the baseline's value, paired by resample; empty without a baseline.
    pub change: BTreeMap<Metric, Estimate>,
}

/// Every metric that the samples define.
///
/// # Errors
/// Columns that do not fit together, non-finite logits, labels other than 0 and 1 ([`Scored::check`]).
pub fn evaluate(scored: &Scored) -> Result<BTreeMap<Metric, f64>, MetricError> {
    scored.check()?;
    let values = Prepared::new(scored).values(&vec![1; scored.users()]);
    Ok(Metric::ALL.into_iter().zip(values).filter_map(|(metric, value)| Some((metric, value?))).collect())
}

/// Every metric that the samples define, with percentile intervals by bootstrap over users, and the paired change from
/// `baseline` (the same users and samples, other logits) with intervals from the same resamples.
///
/// # Errors
/// As [`evaluate`], and settings without an interval or a baseline of other users or labels.
pub fn evaluate_with_intervals(
    scored: &Scored,
    baseline: Option<&Scored>,
    bootstrap: &Bootstrap,
) -> Result<Evaluation, MetricError> {
    let candidate = Resampled::new(scored, bootstrap)?;
    let change = match baseline {
        Some(baseline) => candidate.change_from(&Resampled::new(baseline, bootstrap)?)?,
        None => BTreeMap::new(),
    };
    Ok(Evaluation { users: UserCounts::of(scored), metrics: candidate.metrics(), change })
}

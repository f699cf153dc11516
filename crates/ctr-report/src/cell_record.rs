//! One cell of the comparison: a model, a seed, a protocol and a method.

use std::collections::BTreeMap;

use ctr_metrics::Estimate;
use serde::{Deserialize, Serialize};

/// The method that is no fine-tuning at all: the baseline of every change.
pub const CLOUD: &str = "cloud";

/// What one method did to one cloud model under one protocol.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellRecord {
    /// Name of the model.
    pub model: String,
    /// Seed of the cloud model and of the fine-tuning.
    pub seed: u64,
    /// `natural` or `planted-drift`.
    pub protocol: String,
    /// Name of the method; [`CLOUD`] for the baseline.
    pub method: String,
    /// Users fine-tuned and evaluated.
    pub users_evaluated: u64,
    /// Users left out, by reason.
    pub users_excluded: BTreeMap<String, u64>,
    /// Users evaluated whose local labels have one class only and whose local CTR was clamped for that.
    pub one_class_users_clamped: u64,
    /// Metrics with 95 % intervals over users.
    pub metrics: BTreeMap<String, Estimate>,
    /// Value minus the cloud's on the same users, with its paired interval; empty for the cloud.
    pub change: BTreeMap<String, Estimate>,
    /// Seconds of fine-tuning and of scoring the samples to rank; 0 for the cloud.
    pub fine_tune_seconds: f64,
    /// Users per second of that time; 0 for the cloud.
    pub users_per_second: f64,
}

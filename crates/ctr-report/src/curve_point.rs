//! One point of the planted-drift curve.

use std::collections::BTreeMap;

use ctr_metrics::Estimate;
use serde::{Deserialize, Serialize};

/// Name of the protocol that the curve belongs to.
pub const PLANTED_DRIFT: &str = "planted-drift";

/// Metrics over the users whose local set was resampled to one target CTR.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Name of the model.
    pub model: String,
    /// Seed of the cloud model, of the assignment of targets and of the resampling.
    pub seed: u64,
    /// Name of the method.
    pub method: String,
    /// Local CTR that the users' local sets were resampled to.
    pub target_ctr: f64,
    /// Users with that target.
    pub users: u64,
    /// Metrics over those users, with their intervals.
    pub metrics: BTreeMap<String, Estimate>,
    /// Value minus the cloud's on the same users, with the interval of that difference; empty for the cloud.
    pub change: BTreeMap<String, Estimate>,
}

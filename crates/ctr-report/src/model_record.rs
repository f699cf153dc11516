//! One trained cloud model.

use std::collections::BTreeMap;

use ctr_metrics::Estimate;
use serde::{Deserialize, Serialize};

/// One cloud model of one seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelRecord {
    /// Name of the model, such as `deepfm`.
    pub model: String,
    /// Seed of its initialisation, dropout and batch order.
    pub seed: u64,
    /// Trainable parameters.
    pub parameters: u64,
    /// Epochs trained, whether kept or not.
    pub epochs_run: u64,
    /// The epoch whose parameters were kept, counted from 1.
    pub best_epoch: u64,
    /// How embedding rows were updated: `row-sparse` or `dense`.
    pub embedding_update: String,
    /// Name of the optimizer.
    pub optimizer: String,
    /// Seconds of training steps over all epochs, without validation and checkpoints.
    pub train_seconds: f64,
    /// Training samples per second of training steps.
    pub train_rows_per_second: f64,
    /// Devices that trained it, as `cuda:0`, in order: several where a run was resumed on another one.
    pub train_devices: Vec<String>,
    /// Validation metric after each epoch.
    pub train_metric_history: Vec<f64>,
    /// Metrics on the whole judged part.
    pub metrics: BTreeMap<String, Estimate>,
}

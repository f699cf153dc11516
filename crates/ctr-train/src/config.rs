//! Settings of cloud training.

use ctr_nn::{Algorithm, OptimizerConfig};
use serde::{Deserialize, Serialize};

/// How cloud training goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainingConfig {
    /// Update rule and step size.
    pub optimizer: OptimizerConfig,
    /// Samples per step.
    pub batch_size: usize,
    /// Passes over the training part, at most.
    pub epochs: usize,
    /// `lambda` of `lambda / 2 * ||table||^2` added to the mean loss (FuxiCTR's `embedding_regularizer`).
    pub l2_embedding: f64,
    /// The same for dense weights (FuxiCTR's `net_regularizer`).
    pub l2_dense: f64,
    /// Which table rows a step updates.
    pub embedding_update: EmbeddingUpdate,
    /// Largest norm of all gradients taken together, L2 included; larger ones are scaled down to it. Absent: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_gradient_norm: Option<f64>,
    /// What early stopping watches on the validation part.
    pub monitor: Monitor,
    /// Epochs without improvement before training stops; the best epoch is kept.
    pub patience: usize,
    /// The step size is multiplied by this after an epoch without improvement; 1 leaves it as it is.
    /// Below 1 it wants a patience above 1, else the epoch that lowers the step size also ends training.
    pub learning_rate_factor: f64,
    /// Pieces that a batch is cut into and computed in parallel. Part of the result, unlike the thread count.
    pub shards: usize,
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self {
            optimizer: OptimizerConfig::new(Algorithm::Adam, 1e-3),
            batch_size: 4096,
            epochs: 10,
            l2_embedding: 0.0,
            l2_dense: 0.0,
            embedding_update: EmbeddingUpdate::Touched,
            max_gradient_norm: None,
            monitor: Monitor::Auc,
            patience: 1,
            learning_rate_factor: 1.0,
            shards: 4,
        }
    }
}

/// Which table rows a step updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EmbeddingUpdate {
    /// Only the rows of the batch ("lazy" Adam, L2 on the batch's rows): the cost does not grow with the table.
    Touched,
    /// Every row at every step, as PyTorch's dense optimizers and FuxiCTR do.
    All,
}

/// What early stopping watches on the validation part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Monitor {
    /// Pooled AUC; higher is better.
    Auc,
    /// Impression-weighted AUC within users; higher is better.
    Gauc,
    /// Mean log loss; lower is better.
    Logloss,
}

impl TrainingConfig {
    /// Says what is wrong with the settings, if anything is.
    ///
    /// # Errors
    /// A message that names the key, the value and the admissible range.
    pub fn validate(&self) -> Result<(), String> {
        self.optimizer.validate().map_err(|message| format!("optimizer.{message}"))?;
        for (name, value) in [("batch_size", self.batch_size), ("epochs", self.epochs), ("shards", self.shards)] {
            if value == 0 {
                return Err(format!("{name} is 0; it must be at least 1"));
            }
        }
        for (name, value) in [("l2_embedding", self.l2_embedding), ("l2_dense", self.l2_dense)] {
            if !(value.is_finite() && value >= 0.0) {
                return Err(format!("{name} is {value}; it must be at least 0"));
            }
        }
        if let Some(norm) = self.max_gradient_norm {
            if !(norm.is_finite() && norm > 0.0) {
                return Err(format!("max_gradient_norm is {norm}; it must be positive"));
            }
            if self.embedding_update == EmbeddingUpdate::Touched {
                return Err("max_gradient_norm is a norm over whole tables: set training.embedding_update = \"all\", or remove it".into());
            }
        }
        let factor = self.learning_rate_factor;
        if !(factor > 0.0 && factor <= 1.0) {
            return Err(format!("learning_rate_factor is {factor}; it must be in (0, 1]"));
        }
        if factor < 1.0 && self.patience < 2 {
            return Err(format!(
                "learning_rate_factor is {factor}, but the epoch that lowers the step size also ends training; raise training.patience above 1 (now {})",
                self.patience
            ));
        }
        Ok(())
    }
}

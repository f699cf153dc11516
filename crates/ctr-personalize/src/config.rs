//! Settings of per-user fine-tuning.

use crate::CorrectionSettings;
use ctr_nn::{Algorithm, CtrModel, Group, Kind, OptimizerConfig};
use serde::{Deserialize, Serialize};

/// How a user's copy is fine-tuned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FineTuningConfig {
    /// Update rule and step size; state is fresh for every user.
    pub optimizer: OptimizerConfig,
    /// Passes over a user's local samples.
    pub epochs: usize,
    /// Samples per step of one user.
    pub batch_size: usize,
    /// Users with fewer local samples keep out.
    pub min_samples: usize,
    /// Which parameters move.
    pub scope: Scope,
    /// `mu` of L2-SP's `mu / 2 * ||w - w_cloud||^2`, used by methods with `l2-sp`.
    pub l2_sp: f64,
    /// Constants of the corrections.
    pub correction: CorrectionSettings,
    /// Users that are fine-tuned in one batched pass; absent: as many as keep in cache what a step works on
    /// ([`Self::chunk_users`]); on a GPU as many as its free memory holds, up to 4,096
    /// and, from 512 users on, half of all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chunk_users: Option<usize>,
    /// Whether a GPU must give the same bytes in every run: chunks of a constant size, whatever memory is free. The CPU always
    /// does.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub deterministic: bool,
}

impl Default for FineTuningConfig {
    fn default() -> Self {
        Self {
            optimizer: OptimizerConfig::new(Algorithm::Sgd, 0.05),
            epochs: 1,
            batch_size: 32,
            min_samples: 10,
            scope: Scope::All,
            l2_sp: 0.1,
            correction: CorrectionSettings::default(),
            chunk_users: None,
            deterministic: false,
        }
    }
}

/// Which parameters move in fine-tuning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// All of them.
    All,
    /// The output layer: its weights and the output bias. LR and FM have no output weights: only their bias moves.
    Head,
    /// The embedding rows that the user's samples touch.
    Embedding,
    /// The output bias.
    Bias,
}

impl Scope {
    /// Whether parameters of this group move.
    pub fn includes(self, group: Group) -> bool {
        match self {
            Scope::All => true,
            Scope::Head => matches!(group, Group::Head | Group::OutputBias),
            Scope::Embedding => group == Group::Embedding,
            Scope::Bias => group == Group::OutputBias,
        }
    }
}

/// What the users of a chunk may work on in one step, bytes: within a core's share of the last cache level of the machines
/// seen (docs/performance.md). A constant, since a user's scores depend on the chunk's company by rounding: asking the
/// machine for its cache would give other bytes elsewhere.
const CHUNK_BYTES: usize = 1 << 20;
/// Beyond this a larger chunk saves nothing.
const MOST_CHUNK_USERS: usize = 16;

impl FineTuningConfig {
    /// Users per chunk for this model: as configured, else as many as fit the budget with their dense weights and what a
    /// step's samples leave for the backward.
    pub fn chunk_users(&self, model: &dyn CtrModel) -> usize {
        let dense =
            model.parameters().iter().filter(|spec| spec.kind == Kind::Dense).map(|spec| spec.len()).sum::<usize>();
        let values = dense + self.batch_size * model.values_per_sample();
        let fitting = CHUNK_BYTES / (size_of::<f32>() * values.max(1));
        self.chunk_users.unwrap_or(fitting.clamp(1, MOST_CHUNK_USERS))
    }

    /// Says what is wrong with the settings, if anything is.
    ///
    /// # Errors
    /// A message that names the key, the value and the admissible range.
    pub fn validate(&self) -> Result<(), String> {
        self.optimizer.validate().map_err(|message| format!("optimizer.{message}"))?;
        for (name, value) in [
            ("epochs", self.epochs),
            ("batch_size", self.batch_size),
            ("min_samples", self.min_samples),
            ("chunk_users", self.chunk_users.unwrap_or(1)),
        ] {
            if value == 0 {
                return Err(format!("{name} is 0; it must be at least 1"));
            }
        }
        if !(self.l2_sp.is_finite() && self.l2_sp >= 0.0) {
            return Err(format!("l2_sp is {}; it must be at least 0", self.l2_sp));
        }
        if !(0.0..=1.0).contains(&self.correction.smoothing) {
            return Err(format!("correction.smoothing is {}; it must be in [0, 1]", self.correction.smoothing));
        }
        let pseudo_samples = self.correction.pseudo_samples;
        if !(pseudo_samples.is_finite() && pseudo_samples > 0.0) {
            return Err(format!("correction.pseudo_samples is {pseudo_samples}; it must be positive"));
        }
        Ok(())
    }
}

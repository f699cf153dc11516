//! Label corrections, one file each. A new one is a file and a line in [`CORRECTIONS`].

mod cloud_anchored;
mod importance_weight;
mod logit_adjustment;
mod none;
mod prior_alignment;
mod shift;
mod smoothing;

use crate::LocalSet;
use serde::{Deserialize, Serialize};

/// What training on a user's samples sees instead of the observed labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Corrected {
    /// One target per sample; in `[0, 1]` unless the correction says otherwise.
    pub targets: Vec<f64>,
    /// One weight per sample, 1 if absent.
    pub weights: Option<Vec<f64>>,
    /// A constant added to every logit in training, and left out when ranking.
    pub training_offset: f64,
    /// Whether the local CTR was 0 or 1 and the shrunk estimate stood in for it.
    pub used_shrunk_ctr: bool,
}

impl Corrected {
    fn targets(targets: impl Iterator<Item = f64>) -> Self {
        Self { targets: targets.collect(), weights: None, training_offset: 0.0, used_shrunk_ctr: false }
    }
}

/// The constants of corrections that have some.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CorrectionSettings {
    /// `e` of `smoothing`.
    pub smoothing: f64,
    /// `m` of the shrunk local CTR `(k + m pi) / (n + m)`, used where a formula divides by zero.
    pub pseudo_samples: f64,
}

impl Default for CorrectionSettings {
    fn default() -> Self {
        Self { smoothing: 0.1, pseudo_samples: 1.0 }
    }
}

/// A rule that replaces labels, weighs samples or shifts training logits so that a user's samples look as if they had
/// been drawn at the global CTR.
#[derive(Clone, Copy)]
pub struct Correction {
    /// Name in configurations and tables.
    pub name: &'static str,
    /// Targets, weights and offset as a formula.
    pub formula: &'static str,
    /// Where the rule comes from.
    pub source: &'static str,
    /// Applies the rule.
    pub apply: fn(&LocalSet, &CorrectionSettings) -> Corrected,
}

impl std::fmt::Debug for Correction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Correction({})", self.name)
    }
}

/// Every correction.
pub const CORRECTIONS: &[Correction] = &[
    none::NONE,
    prior_alignment::PRIOR_ALIGNMENT,
    cloud_anchored::CLOUD_ANCHORED,
    shift::SHIFT,
    smoothing::SMOOTHING,
    importance_weight::IMPORTANCE_WEIGHT,
    logit_adjustment::LOGIT_ADJUSTMENT,
];

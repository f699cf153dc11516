//! What a forward pass needs to know beyond parameters and batch.

use crate::seed::SeededRng;
use candle_core::Tensor;

/// How layers that differ between training and use behave.
#[derive(Debug)]
pub enum Mode {
    /// Cloud training: batch statistics, dropout from this generator.
    Training(Box<SeededRng>),
    /// Evaluation and fine-tuning: the cloud's running statistics, no dropout.
    Inference,
}

/// Batch statistics that a normalisation layer saw in training, to be folded into its running ones.
#[derive(Debug)]
pub struct NormStatistics {
    /// The layer's name.
    pub layer: String,
    /// `[1, features]`.
    pub mean: Tensor,
    /// Unbiased, `[1, features]`.
    pub variance: Tensor,
}

/// The state of one forward pass.
#[derive(Debug)]
pub struct Context {
    /// How layers behave.
    pub mode: Mode,
    /// Filled by normalisation layers in training, in the order of the layers.
    pub norm_statistics: Vec<NormStatistics>,
}

impl Context {
    /// For evaluation and fine-tuning.
    pub fn inference() -> Self {
        Self { mode: Mode::Inference, norm_statistics: Vec::new() }
    }

    /// For cloud training; the generator draws the dropout masks.
    pub fn training(rng: SeededRng) -> Self {
        Self { mode: Mode::Training(Box::new(rng)), norm_statistics: Vec::new() }
    }
}

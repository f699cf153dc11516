//! Settings of the model.

use crate::Din;
use ctr_nn::{Activation, CtrModel, MlpConfig, ModelConfig, ModelInput};
use serde::{Deserialize, Serialize};

/// Settings of [`Din`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DinConfig {
    /// Width of a field's embedding.
    pub embedding_dim: usize,
    /// Standard deviation of the initial embeddings.
    pub embedding_std: f64,
    /// Width of each hidden layer of the attention unit, first to last.
    pub attention_hidden_units: Vec<usize>,
    /// Function after each hidden layer of the attention unit.
    pub attention_activation: AttentionActivation,
    /// Whether the weights of a history are normalised to sum to 1. The paper leaves them as they are, so that their
    /// sum tells the intensity of the interest.
    pub attention_softmax: bool,
    /// The hidden layers; their `initializer` also starts the attention and output weights.
    pub mlp: MlpConfig,
}

/// Function after a hidden layer of the attention unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttentionActivation {
    /// See [`Activation::Prelu`].
    #[default]
    Prelu,
    /// See [`Activation::Dice`]. In training its statistics are over all positions of the histories, padding included,
    /// as in FuxiCTR.
    Dice,
}

impl From<AttentionActivation> for Activation {
    fn from(activation: AttentionActivation) -> Self {
        match activation {
            AttentionActivation::Prelu => Activation::Prelu,
            AttentionActivation::Dice => Activation::Dice,
        }
    }
}

impl Default for DinConfig {
    fn default() -> Self {
        Self {
            embedding_dim: 16,
            embedding_std: 1e-2,
            attention_hidden_units: vec![32],
            attention_activation: AttentionActivation::Prelu,
            attention_softmax: false,
            mlp: MlpConfig::default(),
        }
    }
}

impl ModelConfig for DinConfig {
    const NAME: &'static str = "din";

    fn build(&self, input: &ModelInput) -> Result<Box<dyn CtrModel>, String> {
        if self.embedding_dim == 0 {
            return Err("embedding_dim is 0; it must be at least 1".into());
        }
        if !((self.embedding_std as f32).is_finite() && self.embedding_std >= 0.0) {
            return Err(format!("embedding_std is {}; it must be at least 0", self.embedding_std));
        }
        if self.attention_hidden_units.is_empty() || self.attention_hidden_units.contains(&0) {
            return Err(format!(
                "attention_hidden_units is {:?}; it must hold at least one width, each at least 1",
                self.attention_hidden_units
            ));
        }
        if input.history_length == 0 {
            return Err("history_length is 0; din needs histories of at least 1 item".into());
        }
        self.mlp.validate()?;
        Ok(Box::new(Din::new(self, input)))
    }
}

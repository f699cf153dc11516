//! Settings of the model.

use crate::Dcn;
use ctr_nn::{CtrModel, MlpConfig, ModelConfig, ModelInput};
use serde::{Deserialize, Serialize};

/// Settings of [`Dcn`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DcnConfig {
    /// Width of a field's embedding.
    pub embedding_dim: usize,
    /// Standard deviation of the initial embeddings.
    pub embedding_std: f64,
    /// Number of cross layers.
    pub cross_layers: usize,
    /// The kind of cross layer.
    pub cross: Cross,
    /// The hidden layers beside the cross layers; their `initializer` also starts the cross and output weights.
    pub mlp: MlpConfig,
}

/// The kind of cross layer, over `x_0`, the concatenated embeddings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cross {
    /// `x_{l+1} = x_0 (x_l^T w_l) + b_l + x_l` (DCN).
    #[default]
    Vector,
    /// `x_{l+1} = x_0 * (W_l x_l + b_l) + x_l`, the product element by element (DCN-V2).
    Matrix,
}

impl Default for DcnConfig {
    fn default() -> Self {
        Self {
            embedding_dim: 16,
            embedding_std: 1e-2,
            cross_layers: 3,
            cross: Cross::Vector,
            mlp: MlpConfig::default(),
        }
    }
}

impl ModelConfig for DcnConfig {
    const NAME: &'static str = "dcn";

    fn build(&self, input: &ModelInput) -> Result<Box<dyn CtrModel>, String> {
        if self.embedding_dim == 0 {
            return Err("embedding_dim is 0; it must be at least 1".into());
        }
        if !((self.embedding_std as f32).is_finite() && self.embedding_std >= 0.0) {
            return Err(format!("embedding_std is {}; it must be at least 0", self.embedding_std));
        }
        if self.cross_layers == 0 {
            return Err("cross_layers is 0; it must be at least 1".into());
        }
        self.mlp.validate()?;
        Ok(Box::new(Dcn::new(self, input)))
    }
}

//! Logistic regression over categorical fields: `logit = bias + sum_f w[id_f]`.

use candle_core::{Result, Tensor};
use ctr_nn::{Batch, Context, CtrModel, Initializer, Leaves, LogitSum, ModelConfig, ModelInput, ParameterSpec};
use serde::{Deserialize, Serialize};

/// Settings of [`Lr`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LrConfig {
    /// Standard deviation of the initial weights.
    pub embedding_std: f64,
}

impl Default for LrConfig {
    fn default() -> Self {
        Self { embedding_std: 1e-4 }
    }
}

impl ModelConfig for LrConfig {
    const NAME: &'static str = "lr";

    fn build(&self, input: &ModelInput) -> std::result::Result<Box<dyn CtrModel>, String> {
        if !((self.embedding_std as f32).is_finite() && self.embedding_std >= 0.0) {
            return Err(format!("embedding_std is {}; it must be at least 0", self.embedding_std));
        }
        let embedding_std = self.embedding_std as f32;
        Ok(Box::new(Lr { table_rows: input.table_rows, fields: input.fields, embedding_std }))
    }
}

/// Logistic regression.
#[derive(Debug)]
pub struct Lr {
    table_rows: usize,
    fields: usize,
    embedding_std: f32,
}

impl CtrModel for Lr {
    fn parameters(&self) -> Vec<ParameterSpec> {
        vec![
            ParameterSpec::table("linear", self.table_rows, 1, Initializer::Normal(self.embedding_std)),
            ParameterSpec::output_bias(),
        ]
    }

    fn values_per_sample(&self) -> usize {
        2 * self.fields
    }

    fn forward(&self, leaves: &Leaves, batch: &Batch, _: &mut Context) -> Result<Tensor> {
        if let Some(sum) = LogitSum::new(leaves, batch) {
            return sum.add_fields("linear")?.with_bias("bias");
        }
        leaves.sum_of_fields("linear", batch)?.broadcast_add(leaves.get("bias")?)
    }
}

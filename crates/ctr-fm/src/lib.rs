//! Factorization machine (Rendle 2010): `logit = bias + sum_f w[id_f] + sum_{f<g} <v_f, v_g>`.

use candle_core::{Result, Tensor};
use ctr_nn::{
    Backward, Batch, Context, CtrModel, Initializer, Leaves, LogitSum, ModelConfig, ModelInput, ParameterSpec,
    fm_interaction, fm_interaction_grad,
};
use serde::{Deserialize, Serialize};

/// Settings of [`Fm`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FmConfig {
    /// Width of a field's embedding.
    pub embedding_dim: usize,
    /// Standard deviation of the initial embeddings and first-order weights.
    pub embedding_std: f64,
}

impl Default for FmConfig {
    fn default() -> Self {
        Self { embedding_dim: 16, embedding_std: 1e-2 }
    }
}

impl ModelConfig for FmConfig {
    const NAME: &'static str = "fm";

    fn build(&self, input: &ModelInput) -> std::result::Result<Box<dyn CtrModel>, String> {
        if self.embedding_dim == 0 {
            return Err("embedding_dim is 0; it must be at least 1".into());
        }
        if !((self.embedding_std as f32).is_finite() && self.embedding_std >= 0.0) {
            return Err(format!("embedding_std is {}; it must be at least 0", self.embedding_std));
        }
        Ok(Box::new(Fm { table_rows: input.table_rows, fields: input.fields, config: self.clone() }))
    }
}

/// The factorization machine.
#[derive(Debug)]
pub struct Fm {
    table_rows: usize,
    fields: usize,
    config: FmConfig,
}

impl CtrModel for Fm {
    fn parameters(&self) -> Vec<ParameterSpec> {
        let start = Initializer::Normal(self.config.embedding_std as f32);
        vec![
            ParameterSpec::table("embedding", self.table_rows, self.config.embedding_dim, start),
            ParameterSpec::table("linear", self.table_rows, 1, start),
            ParameterSpec::output_bias(),
        ]
    }

    /// Embeddings, and their gradient twice.
    fn values_per_sample(&self) -> usize {
        3 * self.fields * self.config.embedding_dim
    }

    fn forward(&self, leaves: &Leaves, batch: &Batch, _: &mut Context) -> Result<Tensor> {
        if let Some(sum) = LogitSum::new(leaves, batch) {
            return sum.add_fields("linear")?.add("embedding", pairs)?.with_bias("bias");
        }
        let first_order = leaves.sum_of_fields("linear", batch)?;
        let second_order = match leaves.over_field_embeddings("embedding", batch, pairs)? {
            Some(at_once) => at_once,
            None => fm_interaction(&leaves.field_embeddings("embedding", batch)?)?,
        };
        (first_order + second_order)?.broadcast_add(leaves.get("bias")?)
    }
}

/// The pairwise term of embeddings out of the graph, with its backward.
fn pairs(embeddings: &Tensor) -> Result<(Tensor, Backward)> {
    let v = embeddings.clone();
    Ok((fm_interaction(embeddings)?, Box::new(move |grad: &Tensor| fm_interaction_grad(&v, grad))))
}

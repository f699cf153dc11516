//! DeepFM (Guo et al. 2017, arXiv 1703.04247): a factorization machine and a multi-layer perceptron over the same
//! embeddings, `logit = bias + sum_f w[id_f] + sum_{f<g} <v_f, v_g> + mlp([v_1; …; v_F])`.

use candle_core::{Result, Tensor};
use ctr_nn::{
    Backward, Batch, Context, CtrModel, DenseStack, Group, Initializer, Leaves, Linear, LogitSum, Mlp, MlpConfig,
    ModelConfig, ModelInput, ParameterSpec, add_fm_interaction_grad, fm_interaction,
};
use serde::{Deserialize, Serialize};

/// Settings of [`DeepFm`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeepFmConfig {
    /// Width of a field's embedding.
    pub embedding_dim: usize,
    /// Standard deviation of the initial embeddings and first-order weights.
    pub embedding_std: f64,
    /// The hidden layers.
    pub mlp: MlpConfig,
}

impl Default for DeepFmConfig {
    fn default() -> Self {
        Self { embedding_dim: 16, embedding_std: 1e-2, mlp: MlpConfig::default() }
    }
}

impl ModelConfig for DeepFmConfig {
    const NAME: &'static str = "deepfm";

    fn build(&self, input: &ModelInput) -> std::result::Result<Box<dyn CtrModel>, String> {
        if self.embedding_dim == 0 {
            return Err("embedding_dim is 0; it must be at least 1".into());
        }
        if !((self.embedding_std as f32).is_finite() && self.embedding_std >= 0.0) {
            return Err(format!("embedding_std is {}; it must be at least 0", self.embedding_std));
        }
        self.mlp.validate()?;
        let mlp = Mlp::new("mlp", input.fields * self.embedding_dim, &self.mlp);
        let output = Linear {
            name: "output".into(),
            input: mlp.output(),
            output: 1,
            bias: false,
            group: Group::Head,
            initializer: self.mlp.initializer,
        };
        Ok(Box::new(DeepFm { table_rows: input.table_rows, fields: input.fields, config: self.clone(), mlp, output }))
    }
}

/// The DeepFM model.
#[derive(Debug)]
pub struct DeepFm {
    table_rows: usize,
    fields: usize,
    config: DeepFmConfig,
    mlp: Mlp,
    output: Linear,
}

impl CtrModel for DeepFm {
    fn parameters(&self) -> Vec<ParameterSpec> {
        let start = Initializer::Normal(self.config.embedding_std as f32);
        let mut specs = vec![
            ParameterSpec::table("embedding", self.table_rows, self.config.embedding_dim, start),
            ParameterSpec::table("linear", self.table_rows, 1, start),
            ParameterSpec::output_bias(),
        ];
        specs.extend(self.mlp.parameters());
        specs.extend(self.output.parameters());
        specs
    }

    /// Embeddings, and their gradient twice; hidden layers.
    fn values_per_sample(&self) -> usize {
        3 * self.fields * self.config.embedding_dim + self.mlp.values_per_sample()
    }

    fn forward(&self, leaves: &Leaves, batch: &Batch, context: &mut Context) -> Result<Tensor> {
        if let Some(logit) = self.at_once(leaves, batch, context)? {
            return Ok(logit);
        }
        let first_order = leaves.sum_of_fields("linear", batch)?;
        let embeddings = leaves.field_embeddings("embedding", batch)?;
        let deep = self.mlp.logit(&embeddings.flatten_from(2)?, &self.output, leaves, context)?;
        (first_order + (fm_interaction(&embeddings)? + deep)?)?.broadcast_add(leaves.get("bias")?)
    }
}

impl DeepFm {
    /// The logit as one node of the graph, where [`DenseStack`] and [`LogitSum`] can, or as one node for each table. The pairwise and the deep term read the same
    /// embeddings, so one gradient is made of the two.
    fn at_once(&self, leaves: &Leaves, batch: &Batch, context: &Context) -> Result<Option<Tensor>> {
        let steps = self.mlp.steps_to(&self.output, context);
        let stack = DenseStack(&steps);
        if !stack.collects(leaves) {
            return Ok(None);
        }
        let pairs_and_deep = |embeddings: &Tensor| -> Result<(Tensor, Backward)> {
            let (deep, deep_backward) = stack.detached(&embeddings.flatten_from(2)?, leaves)?;
            let v = embeddings.clone();
            let backward = move |grad: &Tensor| {
                let sum = deep_backward(&grad.unsqueeze(2)?)?.reshape(v.shape())?;
                add_fm_interaction_grad(&sum, &v, grad)?;
                Ok(sum)
            };
            Ok(((fm_interaction(embeddings)? + deep.squeeze(2)?)?, Box::new(backward)))
        };
        if let Some(sum) = LogitSum::new(leaves, batch) {
            return sum.add_fields("linear")?.add("embedding", pairs_and_deep)?.with_bias("bias").map(Some);
        }
        let Some(terms) = leaves.over_field_embeddings("embedding", batch, pairs_and_deep)? else { return Ok(None) };
        (leaves.sum_of_fields("linear", batch)? + terms)?.broadcast_add(leaves.get("bias")?).map(Some)
    }
}

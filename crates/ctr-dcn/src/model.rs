//! The model.

use crate::{DcnConfig, cross::CrossNetwork};
use candle_core::{Result, Tensor};
use ctr_nn::{Batch, Context, CtrModel, Group, Initializer, Leaves, Linear, Mlp, ModelInput, ParameterSpec};

/// The Deep & Cross Network.
#[derive(Debug)]
pub struct Dcn {
    table: ParameterSpec,
    cross: CrossNetwork,
    mlp: Mlp,
    output: Linear,
}

impl Dcn {
    pub(crate) fn new(config: &DcnConfig, input: &ModelInput) -> Self {
        let features = input.fields * config.embedding_dim;
        let initializer = config.mlp.initializer;
        let mlp = Mlp::new("mlp", features, &config.mlp);
        let output = Linear {
            name: "output".into(),
            input: features + mlp.output(),
            output: 1,
            bias: false,
            group: Group::Head,
            initializer,
        };
        let start = Initializer::Normal(config.embedding_std as f32);
        Self {
            table: ParameterSpec::table("embedding", input.table_rows, config.embedding_dim, start),
            cross: CrossNetwork { kind: config.cross, layers: config.cross_layers, features, initializer },
            mlp,
            output,
        }
    }
}

impl CtrModel for Dcn {
    fn parameters(&self) -> Vec<ParameterSpec> {
        let mut specs = vec![self.table.clone(), ParameterSpec::output_bias()];
        specs.extend(self.cross.parameters());
        specs.extend(self.mlp.parameters());
        specs.extend(self.output.parameters());
        specs
    }

    /// Embeddings, and their gradient twice; hidden layers.
    fn values_per_sample(&self) -> usize {
        3 * self.cross.features + self.mlp.values_per_sample()
    }

    fn forward(&self, leaves: &Leaves, batch: &Batch, context: &mut Context) -> Result<Tensor> {
        let embeddings = leaves.field_embeddings("embedding", batch)?;
        let (replicas, samples, fields, dim) = embeddings.dims4()?;
        let features = fields * dim;
        let x = embeddings.reshape((replicas, samples, features))?;
        // `w^T [cross; deep]` as the sum of its halves, so that nothing is concatenated.
        let weight = leaves.get("output.weight")?;
        let cross = self.cross.logit(&x, &weight.narrow(1, 0, features)?, leaves)?;
        let hidden = self.mlp.forward(&x, leaves, context)?;
        let deep = hidden.matmul(&weight.narrow(1, features, self.mlp.output())?.contiguous()?)?.squeeze(2)?;
        (cross + deep)?.broadcast_add(leaves.get("bias")?)
    }
}

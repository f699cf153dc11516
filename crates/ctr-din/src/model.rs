//! The model.

use crate::{DinConfig, attention::AttentionUnit};
use candle_core::{Result, Tensor, bail};
use ctr_nn::{Batch, Context, CtrModel, Group, Initializer, Leaves, Linear, Mlp, ModelInput, ParameterSpec};

/// The Deep Interest Network.
#[derive(Debug)]
pub struct Din {
    item_field: usize,
    fields: usize,
    history_length: usize,
    table: ParameterSpec,
    attention: AttentionUnit,
    mlp: Mlp,
    output: Linear,
}

impl Din {
    pub(crate) fn new(config: &DinConfig, input: &ModelInput) -> Self {
        let mlp = Mlp::new("mlp", (input.fields + 1) * config.embedding_dim, &config.mlp);
        let output = Linear {
            name: "output".into(),
            input: mlp.output(),
            output: 1,
            bias: false,
            group: Group::Head,
            initializer: config.mlp.initializer,
        };
        let start = Initializer::Normal(config.embedding_std as f32);
        Self {
            item_field: input.item_field,
            fields: input.fields,
            history_length: input.history_length,
            table: ParameterSpec::table("embedding", input.table_rows, config.embedding_dim, start),
            attention: AttentionUnit::new(config),
            mlp,
            output,
        }
    }
}

impl CtrModel for Din {
    fn parameters(&self) -> Vec<ParameterSpec> {
        let mut specs = vec![self.table.clone(), ParameterSpec::output_bias()];
        specs.extend(self.attention.parameters());
        specs.extend(self.mlp.parameters());
        specs.extend(self.output.parameters());
        specs
    }

    /// Embeddings, and their gradient twice; hidden layers; the attention unit once per past item.
    fn values_per_sample(&self) -> usize {
        let embeddings = 3 * (self.fields + 1) * self.table.shape[1];
        embeddings + self.mlp.values_per_sample() + self.history_length * self.attention.values_per_past_item()
    }

    fn forward(&self, leaves: &Leaves, batch: &Batch, context: &mut Context) -> Result<Tensor> {
        let (Some(history), Some(mask)) = (&batch.history, &batch.history_mask) else {
            bail!("din reads histories, but the batch carries none")
        };
        let embeddings = leaves.field_embeddings("embedding", batch)?;
        let (replicas, samples, fields, dim) = embeddings.dims4()?;
        let candidate = embeddings.narrow(2, self.item_field, 1)?.squeeze(2)?.contiguous()?;
        // Past items share the table of the candidate items.
        let past = leaves.gather("embedding", history)?;
        let interest = self.attention.forward(&candidate, &past, mask, leaves, context)?;
        let features = Tensor::cat(&[&embeddings.reshape((replicas, samples, fields * dim))?, &interest], 2)?;
        self.mlp.logit(&features, &self.output, leaves, context)?.broadcast_add(leaves.get("bias")?)
    }

    fn uses_history(&self) -> bool {
        true
    }
}

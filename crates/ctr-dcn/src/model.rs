//! The model.

use crate::{Cross, DcnConfig, cross::CrossNetwork};
use candle_core::{Result, Tensor};
use ctr_nn::{
    Batch, Context, CtrModel, DenseStack, Group, Initializer, Leaves, Linear, Mlp, ModelInput, ParameterSpec,
};

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
        let logit = match self.cross_and_deep_at_once(leaves, batch, context)? {
            Some(both) => both,
            None => {
                let x = leaves.field_embeddings("embedding", batch)?.flatten_from(2)?;
                // `w^T [cross; deep]` as the sum of its halves, so that nothing is concatenated.
                let weight = leaves.get("output.weight")?;
                let cross = self.cross.logit(&x, weight, leaves)?;
                let hidden = self.mlp.forward(&x, leaves, context)?;
                (cross + hidden.matmul(&self.deep_readout(weight)?)?.squeeze(2)?)?
            }
        };
        logit.broadcast_add(leaves.get("bias")?)
    }
}

impl Dcn {
    /// The rows of `output.weight` that read the hidden layers, `[R, hidden, 1]`.
    fn deep_readout(&self, weight: &Tensor) -> Result<Tensor> {
        weight.narrow(1, self.cross.features, self.mlp.output())?.contiguous()
    }

    /// Both halves as one node of the graph, where [`DenseStack`] and [`Leaves::over_field_embeddings`] can: they read the same
    /// embeddings, so one gradient is made of the two and none is added to zeros on the way.
    fn cross_and_deep_at_once(&self, leaves: &Leaves, batch: &Batch, context: &Context) -> Result<Option<Tensor>> {
        let steps = self.mlp.steps(context);
        let stack = DenseStack(&steps);
        // The vector form's one pass over each sample is for the CPU.
        let is_one_pass = self.cross.kind == Cross::Vector && ctr_nn::has_cpu_kernels(batch.ids.device());
        let Some(direct) = leaves.direct_gradients().filter(|_| !steps.is_empty() && is_one_pass) else {
            return Ok(None);
        };
        let direct = direct.clone();
        leaves.over_field_embeddings("embedding", batch, |embeddings| {
            let x = embeddings.flatten_from(2)?;
            let weight = leaves.detached("output.weight")?;
            let readout = self.deep_readout(weight.value())?;
            let cross = self.cross.detached(&x, weight.value(), leaves)?;
            let (hidden, deep_backward) = stack.detached(&x, leaves)?;
            let value = (&cross.crossed.logit + hidden.matmul(&readout)?.squeeze(2)?)?;
            let shape = embeddings.shape().clone();
            let backward = move |grad: &Tensor| {
                let column = grad.unsqueeze(2)?;
                let sum = deep_backward(&column.broadcast_mul(&readout.transpose(1, 2)?)?)?;
                let of_cross = cross.backward(grad, &sum, &direct)?;
                if weight.is_trained() {
                    let of_deep = hidden.transpose(1, 2)?.matmul(&column)?;
                    direct.add(&weight, Tensor::cat(&[&of_cross, &of_deep], 1)?)?;
                }
                sum.reshape(shape.clone())
            };
            Ok((value, Box::new(backward)))
        })
    }
}

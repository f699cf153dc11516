//! The local activation unit, which weighs each past item by its relevance to the candidate.

use crate::DinConfig;
use candle_core::{Result, Tensor};
use ctr_nn::{
    Activation, Context, DenseStack, DenseStep, Group, Leaves, Linear, ParameterSpec, bias_add, dense_matmul,
    interact_keys, weighted_sum,
};

/// A small network over `[q, k, q - k, q * k]` (candidate `q`, past item `k`) with one number out: the weight of `k`.
#[derive(Debug)]
pub(crate) struct AttentionUnit {
    dim: usize,
    hidden: Vec<Linear>,
    activation: Activation,
    output: Linear,
    softmax: bool,
}

impl AttentionUnit {
    /// Layers named `attention.0`, `attention.1`, … and `attention.output`.
    pub fn new(config: &DinConfig) -> Self {
        let layer = |name: String, input, output, bias| Linear {
            name,
            input,
            output,
            bias,
            group: Group::Body,
            initializer: config.mlp.initializer,
        };
        let mut width = 4 * config.embedding_dim;
        let hidden =
            config.attention_hidden_units.iter().enumerate().map(|(i, &output)| {
                layer(format!("attention.{i}"), std::mem::replace(&mut width, output), output, true)
            });
        let hidden = hidden.collect();
        Self {
            dim: config.embedding_dim,
            hidden,
            activation: config.attention_activation.into(),
            // A constant added to all weights of a history cancels in the softmax.
            output: layer("attention.output".into(), width, 1, !config.attention_softmax),
            softmax: config.attention_softmax,
        }
    }

    /// Values that one past item leaves for the backward: its embedding and what it is made into, every hidden layer
    /// before and after its activation, and their gradients.
    pub fn values_per_past_item(&self) -> usize {
        6 * self.dim + 4 * self.hidden.iter().map(|layer| layer.output).sum::<usize>()
    }

    pub fn parameters(&self) -> Vec<ParameterSpec> {
        let mut specs = self.output.parameters();
        for layer in &self.hidden {
            specs.extend(layer.parameters());
            specs.extend(self.activation.parameters(&layer.name, layer.output));
        }
        specs
    }

    /// The weighted sum of past items `[R, B, D]`, for a candidate `[R, B, D]`, past items `[R, B, L, D]` whose padding
    /// rows are zero, and their mask `[R, B, L]`.
    pub fn forward(
        &self,
        candidate: &Tensor,
        past: &Tensor,
        mask: &Tensor,
        leaves: &Leaves,
        context: &mut Context,
    ) -> Result<Tensor> {
        let first = self.first_layer(candidate, past, leaves)?;
        let scores = match DenseStack(&self.steps_after_first_product()).forward(&first, leaves)? {
            Some(scores) => scores,
            None => self.layer_by_layer(first, leaves, context)?,
        };
        let scores = scores.reshape(mask.shape())?;
        // Without softmax the mask changes nothing: a padding row is zero, whatever its weight.
        let weights = if self.softmax { masked_softmax(&scores, mask)? } else { scores };
        weighted_sum(&weights, past)
    }

    /// Everything behind [`Self::first_layer`] as steps of a stack; none for activations that a stack lacks.
    fn steps_after_first_product(&self) -> Vec<DenseStep<'_>> {
        if self.activation != Activation::Prelu {
            return Vec::new();
        }
        let layers = self.hidden.iter().flat_map(|layer| [DenseStep::Linear(layer), DenseStep::Prelu(layer)]);
        layers.skip(1).chain([DenseStep::Linear(&self.output)]).collect()
    }

    fn layer_by_layer(&self, first: Tensor, leaves: &Leaves, context: &mut Context) -> Result<Tensor> {
        let mut x = first;
        for (i, layer) in self.hidden.iter().enumerate() {
            if i > 0 {
                x = layer.forward(&x, leaves)?;
            }
            x = self.activation.forward(&layer.name, &x, leaves, context)?;
        }
        self.output.forward(&x, leaves)
    }

    /// `[q, k, q - k, q * k] W + b` as `[R, B * L, hidden]`, before the activation.
    ///
    /// With `W = [W_q; W_k; W_d; W_p]` that is `q (W_q + W_d) + b`, once per sample, plus
    /// `[k, q * k] [W_k - W_d; W_p]`, once per past item.
    fn first_layer(&self, candidate: &Tensor, past: &Tensor, leaves: &Leaves) -> Result<Tensor> {
        let layer = &self.hidden[0];
        let weight = leaves.get(&format!("{}.weight", layer.name))?;
        let part = |i: usize| weight.narrow(1, i * self.dim, self.dim);
        let (of_candidate, of_past, of_difference, of_product) = (part(0)?, part(1)?, part(2)?, part(3)?);

        let per_sample = dense_matmul(candidate, &(of_candidate + &of_difference)?)?;
        let per_sample = bias_add(&per_sample, leaves.get(&format!("{}.bias", layer.name))?)?;
        let per_item_weight = Tensor::cat(&[(of_past - of_difference)?, of_product], 1)?;
        bias_add(&dense_matmul(&interact_keys(candidate, past)?, &per_item_weight)?, &per_sample)
    }
}

/// Softmax over the last axis of `scores` where `mask` is 1, and 0 elsewhere; all 0 where nothing is left.
///
/// From plain operations, since candle's `softmax_last_dim` has no gradient.
fn masked_softmax(scores: &Tensor, mask: &Tensor) -> Result<Tensor> {
    let masked = (scores + mask.affine(1e9, -1e9)?)?;
    // The shift keeps `exp` in range and cancels in the quotient, so it needs no gradient.
    let largest = masked.max_keepdim(2)?.detach();
    let weights = masked.broadcast_sub(&largest)?.exp()?.mul(mask)?;
    let sum = weights.sum_keepdim(2)?;
    let empty = sum.eq(0f64)?.to_dtype(sum.dtype())?;
    weights.broadcast_div(&(sum + empty)?)
}

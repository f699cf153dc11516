//! A chain of linear layers and rectifiers as one node of candle's graph.

use super::Linear;
use crate::{Backward, DetachedParameter, DirectGradients, Leaves, ops};
use candle_core::{Result, Tensor, bail};

/// One step of the chain.
#[derive(Debug, Clone, Copy)]
pub enum DenseStep<'a> {
    /// `x W + b`, or `x W`.
    Linear(&'a Linear),
    /// `max(x, 0)`, behind a linear layer.
    Relu,
    /// `x` where positive, `alpha x` elsewhere, with the slopes `<name>.alpha` (`[R, features]`) of this layer.
    Prelu(&'a Linear),
}

/// A chain of steps whose gradients are computed here, without a graph between them.
#[derive(Debug)]
pub struct DenseStack<'a>(pub &'a [DenseStep<'a>]);

/// What the backward of a step needs.
enum Done {
    Linear { input: Tensor, weight: DetachedParameter, bias: Option<DetachedParameter> },
    Relu { output: Tensor },
    Prelu { input: Tensor, alpha: DetachedParameter },
}

impl DenseStack<'_> {
    /// Applies the steps to `x` (`[R, B, in]`), as a node of the graph: the gradients of the steps' parameters go to the
    /// [`DirectGradients`] of `leaves`.
    ///
    /// Nothing where that is not possible: there are no steps, nobody collects gradients, `x` has none, or the device has no
    /// kernels. Then the same steps from plain layers are what runs.
    ///
    /// # Errors
    /// If a parameter is missing or a shape does not fit.
    pub fn forward(&self, x: &Tensor, leaves: &Leaves) -> Result<Option<Tensor>> {
        if !(x.track_op() && ops::has_kernels(x.device()) && self.collects(leaves)) {
            return Ok(None);
        }
        let x = x.contiguous()?;
        let (value, backward) = self.detached(&x.detach(), leaves)?;
        ops::precomputed(&x, value, Box::new(move |grad| backward(grad).map(Some))).map(Some)
    }

    /// Whether there are steps, and someone who collects their gradients.
    pub fn collects(&self, leaves: &Leaves) -> bool {
        !self.0.is_empty() && leaves.direct_gradients().is_some()
    }

    /// The same without a node: the value and its backward, for a node that does more than these steps. `x` is contiguous
    /// and out of the graph.
    ///
    /// # Errors
    /// If a parameter is missing, a shape does not fit, or nobody collects gradients.
    pub fn detached(&self, x: &Tensor, leaves: &Leaves) -> Result<(Tensor, Backward)> {
        let Some(direct) = leaves.direct_gradients() else {
            bail!("a stack of dense layers without anyone who collects its gradients")
        };
        let mut value = x.clone();
        let mut done = Vec::with_capacity(self.0.len());
        for (position, step) in self.0.iter().enumerate() {
            match step {
                DenseStep::Linear(layer) => {
                    let weight = parameter(leaves, layer, "weight")?;
                    let bias = layer.bias.then(|| parameter(leaves, layer, "bias")).transpose()?;
                    let input = value;
                    let rectified = matches!(self.0.get(position + 1), Some(DenseStep::Relu));
                    let of_bias = bias.as_ref().map(DetachedParameter::value);
                    value = ops::affine(&input, weight.value(), of_bias, rectified)?;
                    done.push(Done::Linear { input, weight, bias });
                }
                DenseStep::Relu => {
                    // Done in one with the layer before it.
                    if !matches!(done.last(), Some(Done::Linear { .. })) {
                        bail!("a rectifier that follows no linear layer")
                    }
                    done.push(Done::Relu { output: value.clone() });
                }
                DenseStep::Prelu(layer) => {
                    let (input, alpha) = (value, parameter(leaves, layer, "alpha")?);
                    value = ops::prelu(&input, alpha.value())?;
                    done.push(Done::Prelu { input, alpha });
                }
            }
        }
        let direct = direct.clone();
        Ok((value, Box::new(move |grad| backward(&done, grad, &direct))))
    }
}

fn parameter(leaves: &Leaves, layer: &Linear, part: &str) -> Result<DetachedParameter> {
    leaves.detached(&format!("{}.{part}", layer.name))
}

/// From the gradient of the last step's output to that of the first one's input.
fn backward(done: &[Done], grad: &Tensor, direct: &DirectGradients) -> Result<Tensor> {
    let mut grad = grad.clone();
    for (position, step) in done.iter().enumerate().rev() {
        grad = match step {
            Done::Linear { input, weight, bias } => {
                let is_rectified = position > 0 && matches!(done[position - 1], Done::Relu { .. });
                // Before the weight may take its step.
                let of_input = ops::input_gradient(&grad, weight.value(), is_rectified.then_some(input))?;
                direct.add_product(weight, input, &grad)?;
                if let Some(bias) = bias {
                    direct.add_row_sums(bias, &grad)?;
                }
                of_input
            }
            // The gradient of the next step's input is masked already.
            Done::Relu { .. } if matches!(done.get(position + 1), Some(Done::Linear { .. })) => grad,
            Done::Relu { output } => ops::mask_positive(&grad, output)?,
            Done::Prelu { input, alpha } => {
                let (of_input, of_alpha) = ops::prelu_backward(&grad, input, alpha.value())?;
                direct.add(alpha, of_alpha)?;
                of_input
            }
        };
    }
    Ok(grad)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Group, Initializer, Parameters};
    use candle_core::{Device, Var};
    use std::collections::BTreeMap;

    fn layer(name: &str, input: usize, output: usize, bias: bool) -> Linear {
        Linear { name: name.into(), input, output, bias, group: Group::Body, initializer: Initializer::Normal(0.5) }
    }

    /// The same steps from plain layers.
    fn plain(steps: &[DenseStep], x: &Tensor, leaves: &Leaves) -> Result<Tensor> {
        steps.iter().try_fold(x.clone(), |x, step| match step {
            DenseStep::Linear(layer) => layer.forward(&x, leaves),
            DenseStep::Relu => x.mul(&x.gt(0f64)?.to_dtype(x.dtype())?),
            DenseStep::Prelu(layer) => ops::prelu(&x, leaves.get(&format!("{}.alpha", layer.name))?),
        })
    }

    /// Two replicas: values, the gradient of the input, and that of every parameter that is a variable are those of the
    /// plain layers; a parameter that is none (`c.bias`) gets no gradient.
    #[test]
    fn equals_plain_layers() -> Result<()> {
        let device = Device::Cpu;
        let (a, b, c) = (layer("a", 5, 4, true), layer("b", 4, 3, false), layer("c", 3, 1, true));
        let steps = [
            DenseStep::Linear(&a),
            DenseStep::Relu,
            DenseStep::Linear(&b),
            DenseStep::Prelu(&b),
            DenseStep::Linear(&c),
        ];
        let mut specs: Vec<_> = [&a, &b, &c].iter().flat_map(|layer| layer.parameters()).collect();
        specs.extend(crate::Activation::Prelu.parameters("b", 3));
        let mut leaves = Leaves::default();
        let mut trained = BTreeMap::new();
        for (seed, spec) in specs.iter().enumerate() {
            let parts = [1, 2].map(|replica| {
                let drawn = Parameters::initialize(vec![spec.clone()], 10 * seed as u64 + replica, &device)?;
                drawn.get(&spec.name)?.as_tensor().copy()
            });
            let [first, second] = parts;
            let leaf = Var::from_tensor(&Tensor::cat(&[first?, second?], 0)?)?;
            if spec.name == "c.bias" {
                leaves.insert(&spec.name, leaf.as_detached_tensor());
            } else {
                leaves.insert(&spec.name, leaf.as_tensor().clone());
                trained.insert(spec.name.clone(), leaf);
            }
        }
        let values: Vec<f32> = (0..2 * 6 * 5).map(|i| (i as f32 * 0.7).sin()).collect();
        let x = Var::from_tensor(&Tensor::from_vec(values, (2, 6, 5), &device)?)?;
        let slope = Tensor::arange(0f32, 12., &device)?.reshape((2, 6, 1))?;
        assert!(DenseStack(&steps).forward(&x, &leaves)?.is_none(), "nobody collects");

        let expected = plain(&steps, &x, &leaves)?;
        let expected_grads = (&expected * &slope)?.sum_all()?.backward()?;
        let direct = DirectGradients::default();
        leaves.collect_gradients(direct.clone());
        let stacked = DenseStack(&steps).forward(&x, &leaves)?.expect("a stack");
        assert!(ops::largest_difference(&stacked, &expected)? < 1e-6);
        let grads = (&stacked * &slope)?.sum_all()?.backward()?;
        let collected = direct.take();
        assert_eq!(collected.keys().collect::<Vec<_>>(), trained.keys().collect::<Vec<_>>());
        let grad_of = |grads: &candle_core::backprop::GradStore, var: &Var| grads.get(var).expect("a gradient").clone();
        assert!(ops::largest_difference(&grad_of(&grads, &x), &grad_of(&expected_grads, &x))? < 1e-5);
        for (name, leaf) in &trained {
            assert!(ops::largest_difference(&collected[name], &grad_of(&expected_grads, leaf))? < 1e-5, "{name}");
        }
        Ok(())
    }
}

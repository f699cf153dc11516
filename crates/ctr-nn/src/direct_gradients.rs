//! Gradients that layers compute themselves, beside candle's graph.

use crate::ops;
use candle_core::{Result, Tensor, bail};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Takes the gradients of parameters whose layer is one node of the graph ([`crate::DenseStack`]): candle's backward
/// knows the node's input only. Clones share what they collect.
#[derive(Debug, Clone, Default)]
pub struct DirectGradients {
    collected: Arc<Mutex<BTreeMap<String, Tensor>>>,
    descent: Option<f32>,
}

/// A parameter out of the graph, for a node that computes its gradient itself.
#[derive(Debug)]
pub struct DetachedParameter {
    /// Where a gradient is asked for.
    name: Option<String>,
    value: Tensor,
}

impl DetachedParameter {
    /// The leaf `name`, out of the graph, which asks for a gradient if `is_trained`.
    ///
    /// # Errors
    /// If it is not contiguous: a step of descent on a copy would be lost.
    pub(crate) fn new(name: &str, leaf: &Tensor, is_trained: bool) -> Result<Self> {
        if !leaf.is_contiguous() {
            bail!("`{name}` is not contiguous")
        }
        Ok(Self { name: is_trained.then(|| name.to_owned()), value: leaf.clone() })
    }

    /// Whether a gradient is asked for.
    pub fn is_trained(&self) -> bool {
        self.name.is_some()
    }

    /// Its value.
    pub fn value(&self) -> &Tensor {
        &self.value
    }
}

impl DirectGradients {
    /// Takes a step of plain gradient descent with every gradient as soon as it is known, instead of collecting it.
    ///
    /// Only for parameters that one layer of the forward pass reads, once: the step comes before the rest of the backward.
    pub fn descending(learning_rate: f64) -> Self {
        Self { descent: Some(learning_rate as f32), ..Self::default() }
    }

    /// Adds to the gradient of a parameter; nothing happens if none is asked for.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn add(&self, parameter: &DetachedParameter, grad: Tensor) -> Result<()> {
        let Some(name) = &parameter.name else { return Ok(()) };
        if let Some(learning_rate) = self.descent {
            return ops::descend_by(&parameter.value, &grad.contiguous()?, learning_rate);
        }
        let mut collected = self.collected.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = match collected.remove(name) {
            Some(earlier) => (earlier + grad)?,
            None => grad,
        };
        collected.insert(name.clone(), sum);
        Ok(())
    }

    /// Adds `input^T grad` to the gradient of a weight matrix `[R, in, out]`, for `input` `[R, B, in]` and `grad`
    /// `[R, B, out]`.
    pub(crate) fn add_product(&self, weight: &DetachedParameter, input: &Tensor, grad: &Tensor) -> Result<()> {
        match (&weight.name, self.descent) {
            (None, _) => Ok(()),
            (Some(_), Some(learning_rate)) => ops::descend(&weight.value, input, grad, learning_rate),
            (Some(_), None) => self.add(weight, ops::weight_gradient(input, grad)?),
        }
    }

    /// Adds the sums of `grad` (`[R, B, out]`) over the samples to the gradient of a bias `[R, out]`.
    pub(crate) fn add_row_sums(&self, bias: &DetachedParameter, grad: &Tensor) -> Result<()> {
        match (&bias.name, self.descent) {
            (None, _) => Ok(()),
            (Some(_), Some(learning_rate)) => ops::descend_by_row_sums(&bias.value, grad, learning_rate),
            (Some(_), None) => self.add(bias, ops::sum_to_bias(grad, &bias.value)?),
        }
    }

    /// Takes what was collected since the last call; nothing if steps were taken instead.
    pub fn take(&self) -> BTreeMap<String, Tensor> {
        std::mem::take(&mut self.collected.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

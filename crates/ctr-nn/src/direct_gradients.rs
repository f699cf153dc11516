//! Gradients that layers compute themselves, beside candle's graph.

use crate::ops;
use candle_core::{Result, Tensor};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Takes the gradients of parameters whose layer is one node of the graph ([`crate::DenseStack`]): candle's backward
/// knows the node's input only. Clones share what they collect.
#[derive(Debug, Clone, Default)]
pub struct DirectGradients {
    collected: Arc<Mutex<BTreeMap<String, Tensor>>>,
    descent: Option<f32>,
}

impl DirectGradients {
    /// Takes a step of plain gradient descent with every gradient as soon as it is known, instead of collecting it.
    ///
    /// Only for parameters that one layer of the forward pass reads, once: the step comes before the rest of the backward.
    pub fn descending(learning_rate: f64) -> Self {
        Self { descent: Some(learning_rate as f32), ..Self::default() }
    }

    /// Adds to the gradient of a parameter.
    pub(crate) fn add(&self, name: &str, parameter: &Tensor, grad: Tensor) -> Result<()> {
        if let Some(learning_rate) = self.descent {
            return ops::descend_by(parameter, &grad.contiguous()?, learning_rate);
        }
        let mut collected = self.collected.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = match collected.remove(name) {
            Some(earlier) => (earlier + grad)?,
            None => grad,
        };
        collected.insert(name.to_owned(), sum);
        Ok(())
    }

    /// Adds `input^T grad` to the gradient of a weight matrix `[R, in, out]`, for `input` `[R, B, in]` and `grad`
    /// `[R, B, out]`.
    pub(crate) fn add_product(&self, name: &str, weight: &Tensor, input: &Tensor, grad: &Tensor) -> Result<()> {
        match self.descent {
            Some(learning_rate) => ops::descend(weight, input, grad, learning_rate),
            None => self.add(name, weight, input.transpose(1, 2)?.matmul(grad)?),
        }
    }

    /// Takes what was collected since the last call; nothing if steps were taken instead.
    pub fn take(&self) -> BTreeMap<String, Tensor> {
        std::mem::take(&mut self.collected.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

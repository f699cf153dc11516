//! Activation functions by name.

use crate::{Context, Group, Initializer, Kind, Leaves, ParameterSpec, layers::BatchNorm, ops};
use candle_core::{Result, Tensor};
use serde::{Deserialize, Serialize};

/// The function after a hidden layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// `max(x, 0)`.
    #[default]
    Relu,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// Hyperbolic tangent.
    Tanh,
    /// `x` where positive, `alpha x` elsewhere, one learned `alpha` per feature, starting at 0.25 (He et al. 2015).
    Prelu,
    /// `p x + (1 - p) alpha x` with `p` the sigmoid of the normalised `x` and a learned `alpha` per feature, starting at
    /// 0 (Zhou et al. 2018, equation 3).
    Dice,
}

/// Epsilon of Dice's normalisation, as in the paper's equation.
const DICE_EPSILON: f64 = 1e-8;

impl Activation {
    /// Parameters of this activation in the layer `name`, for `features` features.
    pub fn parameters(self, name: &str, features: usize) -> Vec<ParameterSpec> {
        let alpha = |start| ParameterSpec {
            name: format!("{name}.alpha"),
            kind: Kind::Dense,
            group: Group::Body,
            shape: vec![features],
            initializer: Initializer::Constant(start),
        };
        match self {
            Activation::Relu | Activation::Sigmoid | Activation::Tanh => Vec::new(),
            Activation::Prelu => vec![alpha(0.25)],
            Activation::Dice => {
                let mut specs = dice_norm(name, features).parameters();
                specs.push(alpha(0.0));
                specs
            }
        }
    }

    /// Applies the function to `x` (`[R, B, features]`).
    ///
    /// # Errors
    /// If a parameter is missing or a shape does not fit.
    pub fn forward(self, name: &str, x: &Tensor, leaves: &Leaves, context: &mut Context) -> Result<Tensor> {
        match self {
            // As a product with a constant mask, since candle's relu has derivative 1 at 0.
            Activation::Relu => x.mul(&x.gt(0f64)?.to_dtype(x.dtype())?),
            Activation::Sigmoid => ops::sigmoid(x),
            Activation::Tanh => x.tanh(),
            Activation::Prelu => ops::prelu(x, leaves.get(&format!("{name}.alpha"))?),
            Activation::Dice => {
                let normalised = dice_norm(name, x.dim(2)?).forward(x, leaves, context)?;
                ops::dice(x, &ops::sigmoid(&normalised)?, leaves.get(&format!("{name}.alpha"))?)
            }
        }
    }
}

fn dice_norm(name: &str, features: usize) -> BatchNorm {
    BatchNorm { name: format!("{name}.dice"), features, affine: false, epsilon: DICE_EPSILON }
}

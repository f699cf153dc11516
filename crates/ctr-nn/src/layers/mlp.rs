//! A stack of fully connected layers, in FuxiCTR's order: linear, batch norm, activation, dropout.

use super::{BatchNorm, DenseStack, DenseStep, Linear, dropout::dropout};
use crate::{Activation, Context, Group, Initializer, Leaves, Mode, ParameterSpec};
use candle_core::{Result, Tensor};
use serde::{Deserialize, Serialize};

/// Epsilon of batch norm between the layers; PyTorch's default.
const NORM_EPSILON: f64 = 1e-5;

/// Settings of the hidden layers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MlpConfig {
    /// Width of each hidden layer, first to last.
    pub hidden_units: Vec<usize>,
    /// Function after each hidden layer.
    pub activation: Activation,
    /// Probability of dropping a value, in cloud training.
    pub dropout: f32,
    /// Whether each linear layer is followed by batch norm.
    pub batch_norm: bool,
    /// Initial weights.
    pub initializer: Initializer,
}

impl Default for MlpConfig {
    fn default() -> Self {
        Self {
            hidden_units: vec![128, 64],
            activation: Activation::Relu,
            dropout: 0.0,
            batch_norm: false,
            initializer: Initializer::XavierNormal,
        }
    }
}

impl MlpConfig {
    /// Says what is wrong with the settings, if anything is.
    ///
    /// # Errors
    /// A message that names the key, the value and the admissible range.
    pub fn validate(&self) -> std::result::Result<(), String> {
        if let Some(width) = self.hidden_units.iter().find(|width| **width == 0) {
            return Err(format!("hidden_units holds {width}; each width must be at least 1"));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(format!("dropout is {}; it must be in [0, 1)", self.dropout));
        }
        self.initializer.validate()
    }
}

/// The hidden layers.
#[derive(Debug, Clone)]
pub struct Mlp {
    layers: Vec<Linear>,
    config: MlpConfig,
    output: usize,
}

impl Mlp {
    /// Hidden layers named `<name>.0`, `<name>.1`, … over `input` features.
    pub fn new(name: &str, input: usize, config: &MlpConfig) -> Self {
        let mut width = input;
        let layers = config.hidden_units.iter().enumerate().map(|(i, &output)| {
            let input = std::mem::replace(&mut width, output);
            let name = format!("{name}.{i}");
            Linear { name, input, output, bias: true, group: Group::Body, initializer: config.initializer }
        });
        Self { layers: layers.collect(), config: config.clone(), output: width }
    }

    /// Features of the last hidden layer (of the input, if there is no hidden layer).
    pub fn output(&self) -> usize {
        self.output
    }

    /// Values that one sample leaves for the backward: every hidden layer and its gradient.
    pub fn values_per_sample(&self) -> usize {
        2 * self.config.hidden_units.iter().sum::<usize>()
    }

    /// Parameters of all layers.
    pub fn parameters(&self) -> Vec<ParameterSpec> {
        let mut specs = Vec::new();
        for layer in &self.layers {
            specs.extend(layer.parameters());
            if self.config.batch_norm {
                specs.extend(norm(layer).parameters());
            }
            specs.extend(self.config.activation.parameters(&layer.name, layer.output));
        }
        specs
    }

    /// `[R, B, input]` to `[R, B, output]`.
    ///
    /// # Errors
    /// If a parameter is missing or a shape does not fit.
    pub fn forward(&self, x: &Tensor, leaves: &Leaves, context: &mut Context) -> Result<Tensor> {
        match DenseStack(&self.steps(context)).forward(x, leaves)? {
            Some(output) => Ok(output),
            None => self.layer_by_layer(x, leaves, context),
        }
    }

    /// The hidden layers and an output layer of one feature behind them: `[R, B, input]` to `[R, B]`.
    ///
    /// # Errors
    /// If a parameter is missing or a shape does not fit.
    pub fn logit(&self, x: &Tensor, output: &Linear, leaves: &Leaves, context: &mut Context) -> Result<Tensor> {
        let logit = match DenseStack(&self.steps_to(output, context)).forward(x, leaves)? {
            Some(logit) => logit,
            None => output.forward(&self.layer_by_layer(x, leaves, context)?, leaves)?,
        };
        logit.squeeze(2)
    }

    /// The layers and an output layer behind them as steps of a [`DenseStack`]; none where a layer needs more than a stack
    /// has.
    pub fn steps_to<'a>(&'a self, output: &'a Linear, context: &Context) -> Vec<DenseStep<'a>> {
        let mut steps = self.steps(context);
        if !steps.is_empty() {
            steps.push(DenseStep::Linear(output));
        }
        steps
    }

    /// The layers as steps of a [`DenseStack`]; none where a layer needs more than a stack has.
    pub fn steps(&self, context: &Context) -> Vec<DenseStep<'_>> {
        let drops = self.config.dropout > 0.0 && matches!(context.mode, Mode::Training(_));
        let rectifier: fn(&Linear) -> DenseStep<'_> = match self.config.activation {
            Activation::Relu => |_| DenseStep::Relu,
            Activation::Prelu => |layer| DenseStep::Prelu(layer),
            Activation::Sigmoid | Activation::Tanh | Activation::Dice => return Vec::new(),
        };
        if drops || self.config.batch_norm {
            return Vec::new();
        }
        self.layers.iter().flat_map(|layer| [DenseStep::Linear(layer), rectifier(layer)]).collect()
    }

    fn layer_by_layer(&self, x: &Tensor, leaves: &Leaves, context: &mut Context) -> Result<Tensor> {
        let mut x = x.clone();
        for layer in &self.layers {
            x = if self.config.activation == Activation::Relu && !self.config.batch_norm {
                layer.forward_relu(&x, leaves)?
            } else {
                let mut y = layer.forward(&x, leaves)?;
                if self.config.batch_norm {
                    y = norm(layer).forward(&y, leaves, context)?;
                }
                self.config.activation.forward(&layer.name, &y, leaves, context)?
            };
            x = dropout(&x, self.config.dropout, context)?;
        }
        Ok(x)
    }
}

fn norm(layer: &Linear) -> BatchNorm {
    let name = format!("{}.norm", layer.name);
    BatchNorm { name, features: layer.output, affine: true, epsilon: NORM_EPSILON }
}

//! A fully connected layer.

use crate::{Group, Initializer, Kind, Leaves, ParameterSpec, ops};
use candle_core::{Result, Tensor};

/// `x W + b` with `W` stored `[in, out]` (PyTorch stores its transpose).
#[derive(Debug, Clone)]
pub struct Linear {
    /// Prefix of the parameter names.
    pub name: String,
    /// Features in.
    pub input: usize,
    /// Features out.
    pub output: usize,
    /// Whether a bias is added.
    pub bias: bool,
    /// Part of the model that the layer belongs to.
    pub group: Group,
    /// Initial weights; the bias starts at 0.
    pub initializer: Initializer,
}

impl Linear {
    /// `<name>.weight` and, if there is one, `<name>.bias`.
    pub fn parameters(&self) -> Vec<ParameterSpec> {
        let spec = |part: &str, shape: Vec<usize>, initializer| ParameterSpec {
            name: format!("{}.{part}", self.name),
            kind: Kind::Dense,
            group: self.group,
            shape,
            initializer,
        };
        let mut specs = vec![spec("weight", vec![self.input, self.output], self.initializer)];
        if self.bias {
            specs.push(spec("bias", vec![self.output], Initializer::Constant(0.0)));
        }
        specs
    }

    /// `[R, B, in]` to `[R, B, out]`.
    ///
    /// # Errors
    /// If a parameter is missing or a shape does not fit.
    pub fn forward(&self, x: &Tensor, leaves: &Leaves) -> Result<Tensor> {
        if let Some(done) = self.at_once(x, leaves, false)? {
            return Ok(done);
        }
        let product = self.product(x, leaves)?;
        if self.bias { ops::bias_add(&product, self.bias_of(leaves)?) } else { Ok(product) }
    }

    /// The same, followed by a rectifier, in one pass where there is a bias.
    ///
    /// # Errors
    /// If a parameter is missing or a shape does not fit.
    pub fn forward_relu(&self, x: &Tensor, leaves: &Leaves) -> Result<Tensor> {
        match self.at_once(x, leaves, true)? {
            Some(done) => Ok(done),
            None => ops::bias_relu(&self.product(x, leaves)?, self.bias_of(leaves)?),
        }
    }

    /// All of it in one pass, where nothing has a gradient and the device has kernels.
    fn at_once(&self, x: &Tensor, leaves: &Leaves, rectified: bool) -> Result<Option<Tensor>> {
        let weight = leaves.get(&format!("{}.weight", self.name))?;
        let bias = if self.bias { Some(self.bias_of(leaves)?) } else { None };
        let in_graph = x.track_op() || weight.track_op() || bias.is_some_and(Tensor::track_op);
        if in_graph || !ops::has_kernels(x.device()) {
            return Ok(None);
        }
        ops::affine(&x.contiguous()?, weight, bias, rectified).map(Some)
    }

    fn product(&self, x: &Tensor, leaves: &Leaves) -> Result<Tensor> {
        ops::dense_matmul(x, leaves.get(&format!("{}.weight", self.name))?)
    }

    fn bias_of<'a>(&self, leaves: &'a Leaves) -> Result<&'a Tensor> {
        leaves.get(&format!("{}.bias", self.name))
    }
}

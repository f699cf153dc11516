//! Batch normalisation (Ioffe and Szegedy 2015).

use crate::{Context, Group, Initializer, Kind, Leaves, NormStatistics, ParameterSpec, context::Mode, ops};
use candle_core::{Result, Tensor};

/// Normalises each feature by the batch in training and by the running statistics otherwise.
///
/// In sharded training the batch is the shard ("ghost" batch normalisation): one shard gives the classical rule.
#[derive(Debug, Clone)]
pub struct BatchNorm {
    /// Prefix of the parameter names.
    pub name: String,
    /// Features.
    pub features: usize,
    /// Whether a learned scale and shift follow.
    pub affine: bool,
    /// Added to the variance.
    pub epsilon: f64,
}

impl BatchNorm {
    /// Share of the running statistics that one batch replaces; PyTorch's default.
    pub const MOMENTUM: f64 = 0.1;

    /// Running statistics, and scale and shift if affine.
    pub fn parameters(&self) -> Vec<ParameterSpec> {
        let spec = |part: &str, kind, start| ParameterSpec {
            name: format!("{}.{part}", self.name),
            kind,
            group: Group::Body,
            shape: vec![self.features],
            initializer: Initializer::Constant(start),
        };
        let mut specs = vec![spec("running_mean", Kind::Buffer, 0.0), spec("running_var", Kind::Buffer, 1.0)];
        if self.affine {
            specs.extend([spec("weight", Kind::Dense, 1.0), spec("bias", Kind::Dense, 0.0)]);
        }
        specs
    }

    /// `[R, B, features]` to the same shape.
    ///
    /// # Errors
    /// If a parameter is missing or a shape does not fit.
    pub fn forward(&self, x: &Tensor, leaves: &Leaves, context: &mut Context) -> Result<Tensor> {
        let leaf = |part: &str| leaves.get(&format!("{}.{part}", self.name));
        let normalised = match context.mode {
            Mode::Training(_) => {
                let count = x.dim(1)? as f64;
                let (mean, variance) = ops::moments(x)?;
                let normalised = ops::standardize(x, &mean, &variance, self.epsilon, true)?;
                let variance = (variance * (count / (count - 1.0).max(1.0)))?;
                context.norm_statistics.push(NormStatistics { layer: self.name.clone(), mean, variance });
                normalised
            }
            Mode::Inference => ops::standardize(x, leaf("running_mean")?, leaf("running_var")?, self.epsilon, false)?,
        };
        if self.affine {
            ops::bias_add(&normalised.broadcast_mul(&leaf("weight")?.unsqueeze(1)?)?, leaf("bias")?)
        } else {
            Ok(normalised)
        }
    }
}

//! Limiting the norm of a step's gradients.

use candle_core::{Result, Tensor};

/// Scales all gradients by one factor so that their common Euclidean norm is at most `max_norm`, as PyTorch's
/// `clip_grad_norm_` does: by `max_norm / (norm + 1e-6)` where that is below 1.
///
/// # Errors
/// If a tensor operation fails.
pub(crate) fn clip_norm(grads: &mut [Tensor], max_norm: f64) -> Result<()> {
    let mut squares = 0.0;
    for grad in grads.iter() {
        squares += f64::from(grad.sqr()?.sum_all()?.to_scalar::<f32>()?);
    }
    let factor = max_norm / (squares.sqrt() + 1e-6);
    if factor < 1.0 {
        for grad in grads {
            *grad = (&*grad * factor)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    /// ```python
    /// import torch
    /// p = [torch.nn.Parameter(torch.zeros(2)), torch.nn.Parameter(torch.zeros(1, 2))]
    /// p[0].grad, p[1].grad = torch.tensor([3., 4.]), torch.tensor([[0., 12.]])
    /// torch.nn.utils.clip_grad_norm_(p, 6.5); print(p[0].grad, p[1].grad)
    /// ```
    #[test]
    fn equals_pytorch() -> Result<()> {
        let grads = || -> Result<_> {
            Ok([Tensor::new(&[3f32, 4.], &Device::Cpu)?, Tensor::new(&[[0f32, 12.]], &Device::Cpu)?])
        };
        let mut clipped = grads()?;
        clip_norm(&mut clipped, 6.5)?;
        let close = |a: f32, b: f32| assert!((a - b).abs() < 1e-6, "{a} is not {b}");
        let first = clipped[0].to_vec1::<f32>()?;
        close(first[0], 1.4999999);
        close(first[1], 1.9999998);
        close(clipped[1].to_vec2::<f32>()?[0][1], 5.9999995);
        let mut below = grads()?;
        clip_norm(&mut below, 14.0)?;
        assert_eq!(below[0].to_vec1::<f32>()?, [3.0, 4.0]);
        Ok(())
    }
}

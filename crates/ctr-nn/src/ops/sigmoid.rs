//! The logistic function.

use super::{f32_slice, has_cpu_kernels};
use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor};

/// `1 / (1 + exp(-x))`.
///
/// # Errors
/// If memory runs out.
pub(crate) fn sigmoid(x: &Tensor) -> Result<Tensor> {
    if has_cpu_kernels(x.device()) {
        return x.contiguous()?.apply_op1(Sigmoid);
    }
    plain(x)
}

/// Through the hyperbolic tangent, since the gradient of a quotient with `exp` is NaN where `exp` overflows.
fn plain(x: &Tensor) -> Result<Tensor> {
    ((x * 0.5)?.tanh()? + 1.0)? * 0.5
}

struct Sigmoid;

impl CustomOp1 for Sigmoid {
    fn name(&self) -> &'static str {
        "sigmoid"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = f32_slice(self.name(), x, layout)?;
        let y = x.iter().map(|x| 1.0 / (1.0 + (-x).exp())).collect();
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(grad.contiguous()?.apply_op2_no_bwd(y, &SigmoidGrad)?))
    }
}

/// `g y (1 - y)`.
struct SigmoidGrad;

impl CustomOp2 for SigmoidGrad {
    fn name(&self) -> &'static str {
        "sigmoid_grad"
    }

    fn cpu_fwd(
        &self,
        grad: &CpuStorage,
        grad_layout: &Layout,
        y: &CpuStorage,
        y_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let grad = f32_slice(self.name(), grad, grad_layout)?;
        let y = f32_slice(self.name(), y, y_layout)?;
        let grad = grad.iter().zip(y).map(|(g, y)| g * y * (1.0 - y)).collect();
        Ok((CpuStorage::F32(grad), grad_layout.shape().clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::largest_difference;
    use candle_core::{Device, Var};

    #[test]
    fn equals_its_plain_twin() -> Result<()> {
        let x = Var::new(&[[-100f32, -3.0, -0.5, 0.0], [0.1, 2.0, 7.0, 100.0]], &Device::Cpu)?;
        let slope = Tensor::new(&[[1f32, -2.0, 3.0, 4.0], [5.0, -6.0, 7.0, 8.0]], &Device::Cpu)?;
        let (fused, plain) = (sigmoid(&x)?, plain(&x)?);
        assert!(largest_difference(&fused, &plain)? < 1e-7);
        let fused = (fused * &slope)?.sum_all()?.backward()?;
        let plain = (plain * &slope)?.sum_all()?.backward()?;
        assert!(largest_difference(fused.get(&x).expect("a gradient"), plain.get(&x).expect("a gradient"))? < 1e-6);
        Ok(())
    }
}

//! The parametric rectifier (He et al. 2015).

use super::{f32_slice, has_cpu_kernels};
use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};

/// `x` where positive, `alpha x` elsewhere: `x` `[R, B, features]`, one slope per replica and feature, `[R, features]`.
///
/// # Errors
/// If the shapes do not fit.
pub fn prelu(x: &Tensor, alpha: &Tensor) -> Result<Tensor> {
    if has_cpu_kernels(x.device()) {
        return x.contiguous()?.apply_op2(&alpha.contiguous()?, Prelu);
    }
    plain(x, alpha)
}

fn plain(x: &Tensor, alpha: &Tensor) -> Result<Tensor> {
    let positive = x.gt(0f64)?.to_dtype(x.dtype())?;
    let scaled = x.broadcast_mul(&alpha.unsqueeze(1)?)?;
    x.mul(&positive)? + scaled.mul(&positive.affine(-1.0, 1.0)?)?
}

struct Prelu;

impl CustomOp2 for Prelu {
    fn name(&self) -> &'static str {
        "prelu"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        alpha: &CpuStorage,
        alpha_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (replicas, batch, features) = x_layout.shape().dims3()?;
        if alpha_layout.shape().dims2()? != (replicas, features) {
            bail!("prelu: alpha {:?} does not fit {:?}", alpha_layout.shape(), x_layout.shape());
        }
        let x = f32_slice(self.name(), x, x_layout)?;
        let alpha = f32_slice(self.name(), alpha, alpha_layout)?;
        let mut y = Vec::with_capacity(x.len());
        for (rows, alpha) in x.chunks_exact(batch * features).zip(alpha.chunks_exact(features)) {
            for row in rows.chunks_exact(features) {
                y.extend(row.iter().zip(alpha).map(|(x, a)| x * slope(*x, *a)));
            }
        }
        Ok((CpuStorage::F32(y), x_layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, alpha: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (grad_x, grad_alpha) = prelu_backward(&grad.contiguous()?, x, alpha)?;
        Ok((Some(grad_x), Some(grad_alpha)))
    }
}

/// The gradients of `x` and `alpha` from that of the output, all contiguous.
pub(crate) fn prelu_backward(grad: &Tensor, x: &Tensor, alpha: &Tensor) -> Result<(Tensor, Tensor)> {
    if !has_cpu_kernels(x.device()) {
        return plain_backward(grad, x, alpha);
    }
    Ok((grad.apply_op3_no_bwd(x, alpha, &InputGrad)?, grad.apply_op2_no_bwd(x, &SlopeGrad)?))
}

fn plain_backward(grad: &Tensor, x: &Tensor, alpha: &Tensor) -> Result<(Tensor, Tensor)> {
    let positive = x.gt(0f64)?.to_dtype(x.dtype())?;
    let elsewhere = (positive.affine(-1.0, 1.0)? * grad)?;
    let of_x = ((positive * grad)? + elsewhere.broadcast_mul(&alpha.unsqueeze(1)?)?)?;
    Ok((of_x, (elsewhere * x)?.sum(1)?))
}

fn slope(x: f32, alpha: f32) -> f32 {
    if x > 0.0 { 1.0 } else { alpha }
}

/// The gradient times the slope at `x`.
struct InputGrad;

impl CustomOp3 for InputGrad {
    fn name(&self) -> &'static str {
        "prelu_input_grad"
    }

    fn cpu_fwd(
        &self,
        grad: &CpuStorage,
        grad_layout: &Layout,
        x: &CpuStorage,
        x_layout: &Layout,
        alpha: &CpuStorage,
        alpha_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (_, batch, features) = x_layout.shape().dims3()?;
        let grad = f32_slice(self.name(), grad, grad_layout)?;
        let x = f32_slice(self.name(), x, x_layout)?;
        let alpha = f32_slice(self.name(), alpha, alpha_layout)?;
        let mut out = Vec::with_capacity(x.len());
        let replica_len = batch * features;
        for ((grad, x), alpha) in
            grad.chunks_exact(replica_len).zip(x.chunks_exact(replica_len)).zip(alpha.chunks_exact(features))
        {
            for (grad, x) in grad.chunks_exact(features).zip(x.chunks_exact(features)) {
                out.extend(grad.iter().zip(x).zip(alpha).map(|((g, x), a)| g * slope(*x, *a)));
            }
        }
        Ok((CpuStorage::F32(out), x_layout.shape().clone()))
    }
}

/// `sum_b g min(x, 0)`.
struct SlopeGrad;

impl CustomOp2 for SlopeGrad {
    fn name(&self) -> &'static str {
        "prelu_slope_grad"
    }

    fn cpu_fwd(
        &self,
        grad: &CpuStorage,
        grad_layout: &Layout,
        x: &CpuStorage,
        x_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (replicas, batch, features) = x_layout.shape().dims3()?;
        let grad = f32_slice(self.name(), grad, grad_layout)?;
        let x = f32_slice(self.name(), x, x_layout)?;
        let mut sums = vec![0f32; replicas * features];
        let replica_len = batch * features;
        for ((grad, x), sums) in
            grad.chunks_exact(replica_len).zip(x.chunks_exact(replica_len)).zip(sums.chunks_exact_mut(features))
        {
            for (grad, x) in grad.chunks_exact(features).zip(x.chunks_exact(features)) {
                for ((sum, g), x) in sums.iter_mut().zip(grad).zip(x) {
                    let negative_part = if *x > 0.0 { 0.0 } else { *x };
                    *sum += g * negative_part;
                }
            }
        }
        Ok((CpuStorage::F32(sums), Shape::from((replicas, features))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::largest_difference;
    use candle_core::{Device, Var};

    /// The values include 0, where the slope is `alpha`, as in PyTorch.
    #[test]
    fn equals_its_plain_twin() -> Result<()> {
        let wave = |count: usize, pace: f32| (0..count).map(|i| (i as f32 * pace).sin()).collect::<Vec<f32>>();
        let x = Var::from_tensor(&Tensor::from_vec(wave(24, 1.3), (2, 3, 4), &Device::Cpu)?)?;
        let alpha = Var::from_tensor(&Tensor::from_vec(wave(8, 0.9), (2, 4), &Device::Cpu)?)?;
        let slope = Tensor::from_vec(wave(24, 0.3), (2, 3, 4), &Device::Cpu)?;
        let (fused, plain) = (prelu(&x, &alpha)?, plain(&x, &alpha)?);
        assert_eq!(largest_difference(&fused, &plain)?, 0.0);
        let fused = (fused * &slope)?.sum_all()?.backward()?;
        let plain = (plain * &slope)?.sum_all()?.backward()?;
        for var in [&x, &alpha] {
            let grads = (fused.get(var).expect("a gradient"), plain.get(var).expect("a gradient"));
            assert!(largest_difference(grads.0, grads.1)? < 1e-6);
        }
        Ok(())
    }
}

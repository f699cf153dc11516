//! The data-adaptive activation of the Deep Interest Network (Zhou et al. 2018, equation 3).

use super::{f32_slice, has_cpu_kernels};
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};

/// `p x + (1 - p) alpha x` with `x` and `p` `[R, B, features]` and `alpha` `[R, features]`.
///
/// # Errors
/// If the shapes do not fit.
pub(crate) fn dice(x: &Tensor, p: &Tensor, alpha: &Tensor) -> Result<Tensor> {
    if has_cpu_kernels(x.device()) {
        return x.contiguous()?.apply_op3(&p.contiguous()?, &alpha.contiguous()?, Dice);
    }
    plain(x, p, alpha)
}

fn plain(x: &Tensor, p: &Tensor, alpha: &Tensor) -> Result<Tensor> {
    let scaled = x.broadcast_mul(&alpha.unsqueeze(1)?)?;
    p.mul(x)? + p.affine(-1.0, 1.0)?.mul(&scaled)?
}

struct Dice;

impl CustomOp3 for Dice {
    fn name(&self) -> &'static str {
        "dice"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        p: &CpuStorage,
        p_layout: &Layout,
        alpha: &CpuStorage,
        alpha_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (replicas, _, features) = x_layout.shape().dims3()?;
        if alpha_layout.shape().dims2()? != (replicas, features) {
            bail!("dice: alpha {:?} does not fit {:?}", alpha_layout.shape(), x_layout.shape());
        }
        let operands = [f32_slice(self.name(), x, x_layout)?, f32_slice(self.name(), p, p_layout)?];
        let alpha = f32_slice(self.name(), alpha, alpha_layout)?;
        Ok((
            CpuStorage::F32(map_rows(operands, alpha, features, |x, p, a| x * (p + (1.0 - p) * a))),
            x_layout.shape().clone(),
        ))
    }

    fn bwd(
        &self,
        x: &Tensor,
        p: &Tensor,
        alpha: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let grad_x = grad.apply_op3_no_bwd(p, alpha, &Dice)?;
        let grad_p = grad.apply_op3_no_bwd(x, alpha, &ProbabilityGrad)?;
        let grad_alpha = grad.apply_op3_no_bwd(x, p, &SlopeGrad)?;
        Ok((Some(grad_x), Some(grad_p), Some(grad_alpha)))
    }
}

/// `g x (1 - alpha)`.
struct ProbabilityGrad;

impl CustomOp3 for ProbabilityGrad {
    fn name(&self) -> &'static str {
        "dice_probability_grad"
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
        let (_, _, features) = x_layout.shape().dims3()?;
        let operands = [f32_slice(self.name(), grad, grad_layout)?, f32_slice(self.name(), x, x_layout)?];
        let alpha = f32_slice(self.name(), alpha, alpha_layout)?;
        Ok((
            CpuStorage::F32(map_rows(operands, alpha, features, |g, x, a| g * x * (1.0 - a))),
            x_layout.shape().clone(),
        ))
    }
}

/// `f(a, b, alpha)` of two `[R, B, features]` with the replica's and feature's `alpha`.
fn map_rows([a, b]: [&[f32]; 2], alpha: &[f32], features: usize, f: impl Fn(f32, f32, f32) -> f32) -> Vec<f32> {
    let replica_len = a.len() * features / alpha.len();
    let mut out = Vec::with_capacity(a.len());
    for ((a, b), alpha) in
        a.chunks_exact(replica_len).zip(b.chunks_exact(replica_len)).zip(alpha.chunks_exact(features))
    {
        for (a, b) in a.chunks_exact(features).zip(b.chunks_exact(features)) {
            out.extend(a.iter().zip(b).zip(alpha).map(|((a, b), alpha)| f(*a, *b, *alpha)));
        }
    }
    out
}

/// `sum_b g x (1 - p)`.
struct SlopeGrad;

impl CustomOp3 for SlopeGrad {
    fn name(&self) -> &'static str {
        "dice_slope_grad"
    }

    fn cpu_fwd(
        &self,
        grad: &CpuStorage,
        grad_layout: &Layout,
        x: &CpuStorage,
        x_layout: &Layout,
        p: &CpuStorage,
        p_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (replicas, batch, features) = x_layout.shape().dims3()?;
        let grad = f32_slice(self.name(), grad, grad_layout)?;
        let x = f32_slice(self.name(), x, x_layout)?;
        let p = f32_slice(self.name(), p, p_layout)?;
        let mut sums = vec![0f32; replicas * features];
        let rows = grad.chunks_exact(features).zip(x.chunks_exact(features)).zip(p.chunks_exact(features));
        for (i, ((grad, x), p)) in rows.enumerate() {
            let sums = &mut sums[i / batch * features..][..features];
            for (((sum, g), x), p) in sums.iter_mut().zip(grad).zip(x).zip(p) {
                *sum += g * x * (1.0 - p);
            }
        }
        Ok((CpuStorage::F32(sums), Shape::from((replicas, features))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{largest_difference, sigmoid};
    use candle_core::{Device, Var};

    #[test]
    fn equals_its_plain_twin() -> Result<()> {
        let wave = |count: usize, pace: f32| (0..count).map(|i| 2.0 * (i as f32 * pace).sin()).collect::<Vec<f32>>();
        let x = Var::from_tensor(&Tensor::from_vec(wave(30, 1.3), (2, 5, 3), &Device::Cpu)?)?;
        let z = Var::from_tensor(&Tensor::from_vec(wave(30, 0.8), (2, 5, 3), &Device::Cpu)?)?;
        let alpha = Var::from_tensor(&Tensor::from_vec(wave(6, 0.9), (2, 3), &Device::Cpu)?)?;
        let slope = Tensor::from_vec(wave(30, 0.3), (2, 5, 3), &Device::Cpu)?;
        let fused = dice(&x, &sigmoid(&z)?, &alpha)?;
        let plain = plain(&x, &sigmoid(&z)?, &alpha)?;
        assert!(largest_difference(&fused, &plain)? < 1e-6);
        let fused = (fused * &slope)?.sum_all()?.backward()?;
        let plain = (plain * &slope)?.sum_all()?.backward()?;
        for var in [&x, &z, &alpha] {
            let grads = (fused.get(var).expect("a gradient"), plain.get(var).expect("a gradient"));
            assert!(largest_difference(grads.0, grads.1)? < 3e-6);
        }
        Ok(())
    }
}

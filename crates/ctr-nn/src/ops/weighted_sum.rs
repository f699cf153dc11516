//! A sum of vectors, each with its own weight.

use super::{f32_slice, has_cpu_kernels};
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

/// `sum_l w_l v_l`: `weights` `[R, B, L]` and `values` `[R, B, L, D]` to `[R, B, D]`.
///
/// # Errors
/// If the shapes do not fit.
pub fn weighted_sum(weights: &Tensor, values: &Tensor) -> Result<Tensor> {
    if has_cpu_kernels(values.device()) {
        return weights.contiguous()?.apply_op2(&values.contiguous()?, WeightedSum);
    }
    plain(weights, values)
}

fn plain(weights: &Tensor, values: &Tensor) -> Result<Tensor> {
    values.broadcast_mul(&weights.unsqueeze(3)?)?.sum(2)
}

struct WeightedSum;

impl CustomOp2 for WeightedSum {
    fn name(&self) -> &'static str {
        "weighted_sum"
    }

    fn cpu_fwd(
        &self,
        weights: &CpuStorage,
        weights_layout: &Layout,
        values: &CpuStorage,
        values_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (replicas, batch, length, dim) = values_layout.shape().dims4()?;
        if weights_layout.shape().dims3()? != (replicas, batch, length) {
            bail!("weighted_sum: weights {:?} do not fit {:?}", weights_layout.shape(), values_layout.shape());
        }
        let weights = f32_slice(self.name(), weights, weights_layout)?;
        let values = f32_slice(self.name(), values, values_layout)?;
        let mut out = vec![0f32; replicas * batch * dim];
        let samples = weights.chunks_exact(length).zip(values.chunks_exact(length * dim));
        for ((weights, values), sum) in samples.zip(out.chunks_exact_mut(dim)) {
            for (weight, value) in weights.iter().zip(values.chunks_exact(dim)) {
                for (sum, v) in sum.iter_mut().zip(value) {
                    *sum += weight * v;
                }
            }
        }
        Ok((CpuStorage::F32(out), Shape::from((replicas, batch, dim))))
    }

    fn bwd(
        &self,
        weights: &Tensor,
        values: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let grad_weights = grad.apply_op2_no_bwd(values, &DotEach)?;
        let grad_values = grad.apply_op2_no_bwd(weights, &ScaleEach)?;
        Ok((Some(grad_weights), Some(grad_values)))
    }
}

/// `g . v_l` for every `l`.
struct DotEach;

impl CustomOp2 for DotEach {
    fn name(&self) -> &'static str {
        "weighted_sum_weights_grad"
    }

    fn cpu_fwd(
        &self,
        grad: &CpuStorage,
        grad_layout: &Layout,
        values: &CpuStorage,
        values_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (replicas, batch, length, dim) = values_layout.shape().dims4()?;
        let grad = f32_slice(self.name(), grad, grad_layout)?;
        let values = f32_slice(self.name(), values, values_layout)?;
        let mut out = Vec::with_capacity(replicas * batch * length);
        for (grad, values) in grad.chunks_exact(dim).zip(values.chunks_exact(length * dim)) {
            out.extend(values.chunks_exact(dim).map(|value| value.iter().zip(grad).map(|(v, g)| v * g).sum::<f32>()));
        }
        Ok((CpuStorage::F32(out), Shape::from((replicas, batch, length))))
    }
}

/// `w_l g` for every `l`.
struct ScaleEach;

impl CustomOp2 for ScaleEach {
    fn name(&self) -> &'static str {
        "weighted_sum_values_grad"
    }

    fn cpu_fwd(
        &self,
        grad: &CpuStorage,
        grad_layout: &Layout,
        weights: &CpuStorage,
        weights_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (replicas, batch, length) = weights_layout.shape().dims3()?;
        let dim = grad_layout.shape().dims3()?.2;
        let grad = f32_slice(self.name(), grad, grad_layout)?;
        let weights = f32_slice(self.name(), weights, weights_layout)?;
        let mut out = Vec::with_capacity(weights.len() * dim);
        for (grad, weights) in grad.chunks_exact(dim).zip(weights.chunks_exact(length)) {
            for weight in weights {
                out.extend(grad.iter().map(|g| weight * g));
            }
        }
        Ok((CpuStorage::F32(out), Shape::from((replicas, batch, length, dim))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::largest_difference;
    use candle_core::{Device, Var};

    #[test]
    fn equals_its_plain_twin() -> Result<()> {
        let wave = |count: usize, pace: f32| (0..count).map(|i| (i as f32 * pace).sin()).collect::<Vec<f32>>();
        let weights = Var::from_tensor(&Tensor::from_vec(wave(24, 0.9), (2, 3, 4), &Device::Cpu)?)?;
        let values = Var::from_tensor(&Tensor::from_vec(wave(72, 0.7), (2, 3, 4, 3), &Device::Cpu)?)?;
        let slope = Tensor::from_vec(wave(18, 0.3), (2, 3, 3), &Device::Cpu)?;
        let (fused, plain) = (weighted_sum(&weights, &values)?, plain(&weights, &values)?);
        assert!(largest_difference(&fused, &plain)? < 1e-6);
        let fused = (fused * &slope)?.sum_all()?.backward()?;
        let plain = (plain * &slope)?.sum_all()?.backward()?;
        for var in [&weights, &values] {
            let grads = (fused.get(var).expect("a gradient"), plain.get(var).expect("a gradient"));
            assert!(largest_difference(grads.0, grads.1)? < 1e-6);
        }
        Ok(())
    }
}

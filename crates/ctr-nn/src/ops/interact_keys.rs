//! The part of an attention unit's input that differs from key to key.

use super::{f32_slice, has_cpu_kernels};
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

/// `[k, q * k]` for every key: `query` `[R, B, D]` and `keys` `[R, B, L, D]` to `[R, B * L, 2 D]`.
///
/// # Errors
/// If the shapes do not fit.
pub fn interact_keys(query: &Tensor, keys: &Tensor) -> Result<Tensor> {
    if has_cpu_kernels(keys.device()) {
        return query.contiguous()?.apply_op2(&keys.contiguous()?, InteractKeys);
    }
    plain(query, keys)
}

fn plain(query: &Tensor, keys: &Tensor) -> Result<Tensor> {
    Tensor::cat(&[keys, &keys.broadcast_mul(&query.unsqueeze(2)?)?], 3)?.flatten(1, 2)
}

struct InteractKeys;

impl CustomOp2 for InteractKeys {
    fn name(&self) -> &'static str {
        "interact_keys"
    }

    fn cpu_fwd(
        &self,
        query: &CpuStorage,
        query_layout: &Layout,
        keys: &CpuStorage,
        keys_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (replicas, batch, length, dim) = keys_layout.shape().dims4()?;
        if query_layout.shape().dims3()? != (replicas, batch, dim) {
            bail!("interact_keys: query {:?} does not fit {:?}", query_layout.shape(), keys_layout.shape());
        }
        let query = f32_slice(self.name(), query, query_layout)?;
        let keys = f32_slice(self.name(), keys, keys_layout)?;
        let mut out = Vec::with_capacity(2 * keys.len());
        for (keys, query) in keys.chunks_exact(length * dim).zip(query.chunks_exact(dim)) {
            for key in keys.chunks_exact(dim) {
                out.extend_from_slice(key);
                out.extend(key.iter().zip(query).map(|(k, q)| k * q));
            }
        }
        Ok((CpuStorage::F32(out), Shape::from((replicas, batch * length, 2 * dim))))
    }

    fn bwd(
        &self,
        query: &Tensor,
        keys: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let grad_query = grad.apply_op2_no_bwd(keys, &QueryGrad)?;
        let grad_keys = grad.apply_op2_no_bwd(query, &KeysGrad { shape: keys.shape().clone() })?;
        Ok((Some(grad_query), Some(grad_keys)))
    }
}

/// `sum_l g_2 * k` of a gradient `[g_1, g_2]`.
struct QueryGrad;

impl CustomOp2 for QueryGrad {
    fn name(&self) -> &'static str {
        "interact_keys_query_grad"
    }

    fn cpu_fwd(
        &self,
        grad: &CpuStorage,
        grad_layout: &Layout,
        keys: &CpuStorage,
        keys_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (replicas, batch, length, dim) = keys_layout.shape().dims4()?;
        let grad = f32_slice(self.name(), grad, grad_layout)?;
        let keys = f32_slice(self.name(), keys, keys_layout)?;
        let mut out = vec![0f32; replicas * batch * dim];
        let samples = grad.chunks_exact(length * 2 * dim).zip(keys.chunks_exact(length * dim));
        for ((grad, keys), sum) in samples.zip(out.chunks_exact_mut(dim)) {
            for (grad, key) in grad.chunks_exact(2 * dim).zip(keys.chunks_exact(dim)) {
                for ((sum, g), k) in sum.iter_mut().zip(&grad[dim..]).zip(key) {
                    *sum += g * k;
                }
            }
        }
        Ok((CpuStorage::F32(out), Shape::from((replicas, batch, dim))))
    }
}

/// `g_1 + q * g_2` of a gradient `[g_1, g_2]`.
struct KeysGrad {
    shape: Shape,
}

impl CustomOp2 for KeysGrad {
    fn name(&self) -> &'static str {
        "interact_keys_keys_grad"
    }

    fn cpu_fwd(
        &self,
        grad: &CpuStorage,
        grad_layout: &Layout,
        query: &CpuStorage,
        query_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (_, _, length, dim) = self.shape.dims4()?;
        let grad = f32_slice(self.name(), grad, grad_layout)?;
        let query = f32_slice(self.name(), query, query_layout)?;
        let mut out = Vec::with_capacity(grad.len() / 2);
        for (grad, query) in grad.chunks_exact(length * 2 * dim).zip(query.chunks_exact(dim)) {
            for grad in grad.chunks_exact(2 * dim) {
                let (of_key, of_product) = grad.split_at(dim);
                out.extend(of_key.iter().zip(of_product).zip(query).map(|((g_1, g_2), q)| g_1 + q * g_2));
            }
        }
        Ok((CpuStorage::F32(out), self.shape.clone()))
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
        let query = Var::from_tensor(&Tensor::from_vec(wave(18, 0.9), (2, 3, 3), &Device::Cpu)?)?;
        let keys = Var::from_tensor(&Tensor::from_vec(wave(72, 0.7), (2, 3, 4, 3), &Device::Cpu)?)?;
        let slope = Tensor::from_vec(wave(144, 0.3), (2, 12, 6), &Device::Cpu)?;
        let (fused, plain) = (interact_keys(&query, &keys)?, plain(&query, &keys)?);
        assert_eq!(largest_difference(&fused, &plain)?, 0.0);
        let fused = (fused * &slope)?.sum_all()?.backward()?;
        let plain = (plain * &slope)?.sum_all()?.backward()?;
        for var in [&query, &keys] {
            let grads = (fused.get(var).expect("a gradient"), plain.get(var).expect("a gradient"));
            assert!(largest_difference(grads.0, grads.1)? < 1e-6);
        }
        Ok(())
    }
}

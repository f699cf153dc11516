//! Normalisation of features by mean and variance.

use super::{f32_slice, has_cpu_kernels};
use candle_core::{CpuStorage, CustomOp1, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};

/// Mean and biased variance of each feature of `x` (`[R, B, features]`), each `[R, features]`, without gradient.
///
/// # Errors
/// If `x` is not of rank 3.
pub(crate) fn moments(x: &Tensor) -> Result<(Tensor, Tensor)> {
    if has_cpu_kernels(x.device()) {
        let both = x.contiguous()?.apply_op1_no_bwd(&Moments)?;
        return Ok((both.get(0)?, both.get(1)?));
    }
    let x = x.detach();
    let mean = x.mean_keepdim(1)?;
    let variance = x.broadcast_sub(&mean)?.sqr()?.mean(1)?;
    Ok((mean.squeeze(1)?, variance))
}

/// `(x - mean) / sqrt(variance + epsilon)` for `x` `[R, B, features]` with statistics `[R, features]`.
///
/// With `of_batch` the statistics are the [`moments`] of `x` itself and the gradient passes through them; else they are
/// constants.
///
/// # Errors
/// If the shapes do not fit.
pub(crate) fn standardize(
    x: &Tensor,
    mean: &Tensor,
    variance: &Tensor,
    epsilon: f64,
    of_batch: bool,
) -> Result<Tensor> {
    if has_cpu_kernels(x.device()) {
        let inverse_std = (variance + epsilon)?.sqrt()?.recip()?.detach();
        let op = Standardize { of_batch };
        return x.contiguous()?.apply_op3(&mean.detach().contiguous()?, &inverse_std.contiguous()?, op);
    }
    plain(x, mean, variance, epsilon, of_batch)
}

fn plain(x: &Tensor, mean: &Tensor, variance: &Tensor, epsilon: f64, of_batch: bool) -> Result<Tensor> {
    let mean = if of_batch { x.mean_keepdim(1)? } else { mean.unsqueeze(1)? };
    let centred = x.broadcast_sub(&mean)?;
    let variance = if of_batch { centred.sqr()?.mean_keepdim(1)? } else { variance.unsqueeze(1)? };
    centred.broadcast_div(&(variance + epsilon)?.sqrt()?)
}

/// Means and biased variances, `[2, R, features]`, summed in `f64`.
struct Moments;

impl CustomOp1 for Moments {
    fn name(&self) -> &'static str {
        "moments"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (replicas, batch, features) = layout.shape().dims3()?;
        let x = f32_slice(self.name(), x, layout)?;
        let (mut means, mut variances) = (Vec::new(), Vec::new());
        for rows in x.chunks_exact(batch * features) {
            let mean = mean_over_rows(rows, features, |x, _| x, &vec![0.0; features]);
            variances.extend(mean_over_rows(rows, features, |x, mean| (x - mean) * (x - mean), &mean));
            means.extend(mean);
        }
        let both = means.into_iter().chain(variances).map(|value| value as f32).collect();
        Ok((CpuStorage::F32(both), Shape::from((2, replicas, features))))
    }
}

/// Mean of `term(x, offset)` over the rows, per feature.
fn mean_over_rows(rows: &[f32], features: usize, term: impl Fn(f64, f64) -> f64, offsets: &[f64]) -> Vec<f64> {
    let mut sums = vec![0f64; features];
    for row in rows.chunks_exact(features) {
        for ((sum, x), offset) in sums.iter_mut().zip(row).zip(offsets) {
            *sum += term(f64::from(*x), *offset);
        }
    }
    let count = (rows.len() / features) as f64;
    sums.into_iter().map(|sum| sum / count).collect()
}

/// `(x - mean) * inverse_std`.
struct Standardize {
    of_batch: bool,
}

impl CustomOp3 for Standardize {
    fn name(&self) -> &'static str {
        "standardize"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        mean: &CpuStorage,
        mean_layout: &Layout,
        inverse_std: &CpuStorage,
        inverse_std_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (replicas, batch, features) = x_layout.shape().dims3()?;
        if mean_layout.shape().dims2()? != (replicas, features) {
            bail!("standardize: statistics {:?} do not fit {:?}", mean_layout.shape(), x_layout.shape());
        }
        let x = f32_slice(self.name(), x, x_layout)?;
        let mean = f32_slice(self.name(), mean, mean_layout)?;
        let inverse_std = f32_slice(self.name(), inverse_std, inverse_std_layout)?;
        let mut y = Vec::with_capacity(x.len());
        let statistics = mean.chunks_exact(features).zip(inverse_std.chunks_exact(features));
        for (rows, (mean, inverse_std)) in x.chunks_exact(batch * features).zip(statistics) {
            for row in rows.chunks_exact(features) {
                y.extend(row.iter().zip(mean).zip(inverse_std).map(|((x, mean), scale)| (x - mean) * scale));
            }
        }
        Ok((CpuStorage::F32(y), x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        _: &Tensor,
        _: &Tensor,
        inverse_std: &Tensor,
        y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let grad = if self.of_batch { grad.apply_op2_no_bwd(y, &WithoutMoments)? } else { grad };
        let zero = inverse_std.zeros_like()?;
        let grad = grad.apply_op3_no_bwd(&zero, inverse_std, &Standardize { of_batch: false })?;
        Ok((Some(grad), None, None))
    }
}

/// `g - mean(g) - y * mean(g * y)`, the means over the batch: what is left of a gradient once the batch's mean and
/// variance are held at 0 and 1.
struct WithoutMoments;

impl CustomOp2 for WithoutMoments {
    fn name(&self) -> &'static str {
        "standardize_without_moments"
    }

    fn cpu_fwd(
        &self,
        grad: &CpuStorage,
        grad_layout: &Layout,
        y: &CpuStorage,
        y_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (_, batch, features) = grad_layout.shape().dims3()?;
        let grad = f32_slice(self.name(), grad, grad_layout)?;
        let y = f32_slice(self.name(), y, y_layout)?;
        let mut out = Vec::with_capacity(grad.len());
        for (grad, y) in grad.chunks_exact(batch * features).zip(y.chunks_exact(batch * features)) {
            let (mut mean, mut mean_product) = (vec![0f32; features], vec![0f32; features]);
            for (grad, y) in grad.chunks_exact(features).zip(y.chunks_exact(features)) {
                let sums = mean.iter_mut().zip(&mut mean_product);
                for ((sum, sum_product), (g, y)) in sums.zip(grad.iter().zip(y)) {
                    *sum += g;
                    *sum_product += g * y;
                }
            }
            mean.iter_mut().chain(&mut mean_product).for_each(|sum| *sum /= batch as f32);
            for (grad, y) in grad.chunks_exact(features).zip(y.chunks_exact(features)) {
                let means = mean.iter().zip(&mean_product);
                out.extend(grad.iter().zip(y).zip(means).map(|((g, y), (mean, product))| g - mean - y * product));
            }
        }
        Ok((CpuStorage::F32(out), grad_layout.shape().clone()))
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
        let x = Var::from_tensor(&Tensor::from_vec(wave(30, 1.3), (2, 5, 3), &Device::Cpu)?)?;
        let slope = Tensor::from_vec(wave(30, 0.3), (2, 5, 3), &Device::Cpu)?;
        let running_mean = Tensor::from_vec(wave(6, 0.7), (2, 3), &Device::Cpu)?;
        let running_variance = (Tensor::from_vec(wave(6, 0.9), (2, 3), &Device::Cpu)? + 1.5)?;
        let (mean, variance) = moments(&x)?;
        for (mean, variance, of_batch) in [(mean, variance, true), (running_mean, running_variance, false)] {
            let fused = standardize(&x, &mean, &variance, 1e-5, of_batch)?;
            let plain = plain(&x, &mean, &variance, 1e-5, of_batch)?;
            assert!(largest_difference(&fused, &plain)? < 1e-6);
            let fused = (fused * &slope)?.sum_all()?.backward()?;
            let plain = (plain * &slope)?.sum_all()?.backward()?;
            let grads = (fused.get(&x).expect("a gradient"), plain.get(&x).expect("a gradient"));
            assert!(largest_difference(grads.0, grads.1)? < 2e-6);
        }
        Ok(())
    }
}

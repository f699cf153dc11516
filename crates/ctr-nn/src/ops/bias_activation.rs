//! Bias and rectifier after a matrix product, in one pass forward and one backward.

use super::{f32_slice, has_cpu_kernels};
use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};
use multiversion::multiversion;

/// `x + bias` with `x` `[R, B, out]` and one bias row per replica, `[R, out]`, or per run of rows, `[R, G, out]`: then
/// row `g` is added to the rows `g * B / G .. (g + 1) * B / G`.
///
/// # Errors
/// If the shapes do not fit.
pub fn bias_add(x: &Tensor, bias: &Tensor) -> Result<Tensor> {
    apply(x, bias, false)
}

/// `max(x + bias, 0)` with `x` `[R, B, out]` and `bias` `[R, out]`. The derivative at 0 is 0, as in PyTorch
/// (candle's own `relu` takes 1).
///
/// # Errors
/// If the shapes do not fit.
pub fn bias_relu(x: &Tensor, bias: &Tensor) -> Result<Tensor> {
    apply(x, bias, true)
}

fn apply(x: &Tensor, bias: &Tensor, relu: bool) -> Result<Tensor> {
    if has_cpu_kernels(x.device()) {
        return x.contiguous()?.apply_op2(&bias.contiguous()?, BiasActivation { relu });
    }
    let (replicas, batch, out) = x.dims3()?;
    let runs = bias.elem_count() / out;
    let rows = x.reshape((runs, replicas * batch / runs, out))?;
    let sum = rows.broadcast_add(&bias.reshape((runs, 1, out))?)?.reshape(x.shape())?;
    if relu {
        // A product with a constant mask, since candle's relu has derivative 1 at 0.
        let mask = sum.gt(0f64)?.to_dtype(sum.dtype())?;
        sum.mul(&mask)
    } else {
        Ok(sum)
    }
}

struct BiasActivation {
    relu: bool,
}

impl CustomOp2 for BiasActivation {
    fn name(&self) -> &'static str {
        "bias_activation"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (replicas, batch, out) = x_layout.shape().dims3()?;
        let runs_per_replica = match *bias_layout.dims() {
            [of, width] if of == replicas && width == out => 1,
            [of, runs, width] if of == replicas && width == out && batch.is_multiple_of(runs) => runs,
            _ => bail!("bias_activation: bias {:?} does not fit {:?}", bias_layout.shape(), x_layout.shape()),
        };
        let x = f32_slice(self.name(), x, x_layout)?;
        let bias = f32_slice(self.name(), bias, bias_layout)?;
        let mut y = Vec::with_capacity(x.len());
        for (rows, bias) in x.chunks_exact(batch / runs_per_replica * out).zip(bias.chunks_exact(out)) {
            for row in rows.chunks_exact(out) {
                if self.relu {
                    y.extend(row.iter().zip(bias).map(|(x, b)| rectify(x + b)));
                } else {
                    y.extend(row.iter().zip(bias).map(|(x, b)| x + b));
                }
            }
        }
        Ok((CpuStorage::F32(y), x_layout.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, bias: &Tensor, y: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let grad_x = if self.relu { mask_positive(&grad, y)? } else { grad };
        let grad_bias = sum_to_bias(&grad_x, bias)?;
        Ok((Some(grad_x), Some(grad_bias)))
    }
}

/// The gradient where the rectifier's output `y` is positive, else 0.
pub(crate) fn mask_positive(grad: &Tensor, y: &Tensor) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if grad.device().is_cuda() {
        let masked = grad.copy()?;
        crate::cuda::mask_positive(&masked, y)?;
        return Ok(masked);
    }
    grad.apply_op2_no_bwd(y, &MaskPositive)
}

/// The gradient `[R, B, out]` summed over the rows that share a bias, in the bias's shape.
pub(crate) fn sum_to_bias(grad: &Tensor, bias: &Tensor) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if grad.device().is_cuda() {
        return crate::cuda::sum_rows(&grad.contiguous()?, bias.shape());
    }
    grad.apply_op1_no_bwd(&SumOverRuns { shape: bias.shape().clone() })
}

/// `row += bias` for every row, then `max(_, 0)` if `rectified`.
#[allow(clippy::needless_range_loop)] // Plain loops, as `width.rs` says why.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
pub(super) fn add_bias(rows: &mut [f32], bias: &[f32], rectified: bool) {
    let width = bias.len();
    for i in 0..rows.len() / width.max(1) {
        let row = &mut rows[i * width..][..width];
        if rectified {
            for k in 0..width {
                row[k] = rectify(row[k] + bias[k]);
            }
        } else {
            for k in 0..width {
                row[k] += bias[k];
            }
        }
    }
}

/// `max(z, 0)` that lets NaN through, so that a diverged model is noticed (`f32::max` would turn it into 0).
#[inline(always)]
pub(super) fn rectify(z: f32) -> f32 {
    if z < 0.0 { 0.0 } else { z }
}

/// The gradient where the activation is positive, else 0.
struct MaskPositive;

impl CustomOp2 for MaskPositive {
    fn name(&self) -> &'static str {
        "mask_positive"
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
        let masked = grad.iter().zip(y).map(|(g, y)| if *y > 0.0 { *g } else { 0.0 }).collect();
        Ok((CpuStorage::F32(masked), grad_layout.shape().clone()))
    }
}

/// `[R, B, out]` summed over the rows that share a bias, to the bias's shape.
struct SumOverRuns {
    shape: Shape,
}

impl CustomOp1 for SumOverRuns {
    fn name(&self) -> &'static str {
        "sum_over_runs"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (replicas, batch, out) = layout.shape().dims3()?;
        let x = f32_slice(self.name(), x, layout)?;
        let mut sums = vec![0f32; self.shape.elem_count()];
        let run = replicas * batch * out * out / sums.len();
        for (rows, sums) in x.chunks_exact(run).zip(sums.chunks_exact_mut(out)) {
            add_rows(sums, rows);
        }
        Ok((CpuStorage::F32(sums), self.shape.clone()))
    }
}

/// Adds every row to `sums`, one after the other: four in one pass over the sums, so that these wait less for each other.
#[allow(clippy::needless_range_loop)] // Plain loops, as `width.rs` says why.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
pub(super) fn add_rows(sums: &mut [f32], rows: &[f32]) {
    let width = sums.len();
    let count = rows.len() / width.max(1);
    let fours = count - count % 4;
    for i in (0..fours).step_by(4) {
        let (first, second) = rows[i * width..][..4 * width].split_at(2 * width);
        let ((a, b), (c, d)) = (first.split_at(width), second.split_at(width));
        let (b, d) = (&b[..width], &d[..width]);
        for k in 0..width {
            sums[k] = sums[k] + a[k] + b[k] + c[k] + d[k];
        }
    }
    for i in fours..count {
        let row = &rows[i * width..][..width];
        for k in 0..width {
            sums[k] += row[k];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    #[test]
    fn equals_broadcast_add_and_relu() -> Result<()> {
        let device = Device::Cpu;
        let x: Vec<f32> = (0..24).map(|i| (i as f32 * 1.3).sin()).collect();
        let x = Var::from_tensor(&Tensor::from_vec(x, (2, 3, 4), &device)?)?;
        let bias: Vec<f32> = (0..8).map(|i| (i as f32 * 0.4).cos() * 0.3).collect();
        let bias = Var::from_tensor(&Tensor::from_vec(bias, (2, 4), &device)?)?;
        let slope = Tensor::arange(0f32, 24., &device)?.reshape((2, 3, 4))?;
        for relu in [false, true] {
            let fused = apply(&x, &bias, relu)?;
            let plain = x.broadcast_add(&bias.unsqueeze(1)?)?;
            let plain = if relu { plain.relu()? } else { plain };
            assert_eq!(fused.to_vec3::<f32>()?, plain.to_vec3::<f32>()?);
            let fused = (fused * &slope)?.sum_all()?.backward()?;
            let plain = (plain * &slope)?.sum_all()?.backward()?;
            for var in [&x, &bias] {
                let values = |grads: &candle_core::backprop::GradStore| -> Result<Vec<f32>> {
                    grads.get(var).expect("a gradient").flatten_all()?.to_vec1()
                };
                assert_eq!(values(&fused)?, values(&plain)?);
            }
        }
        Ok(())
    }

    #[test]
    fn one_bias_per_run_of_rows_is_one_per_smaller_replica() -> Result<()> {
        let values = |count: usize, pace: f32| (0..count).map(|i| (i as f32 * pace).sin()).collect::<Vec<f32>>();
        let x = Var::from_tensor(&Tensor::from_vec(values(48, 1.3), (2, 6, 4), &Device::Cpu)?)?;
        let bias = Var::from_tensor(&Tensor::from_vec(values(24, 0.4), (2, 3, 4), &Device::Cpu)?)?;
        let slope = Tensor::arange(0f32, 48., &Device::Cpu)?.reshape((2, 6, 4))?;
        let runs = bias_add(&x, &bias)?;
        let replicas = bias_add(&x.reshape((6, 2, 4))?, &bias.reshape((6, 4))?)?.reshape((2, 6, 4))?;
        assert_eq!(runs.to_vec3::<f32>()?, replicas.to_vec3::<f32>()?);
        let runs = (runs * &slope)?.sum_all()?.backward()?;
        let replicas = (replicas * &slope)?.sum_all()?.backward()?;
        for var in [&x, &bias] {
            let [a, b] = [&runs, &replicas].map(|grads| grads.get(var).expect("a gradient").to_vec3::<f32>());
            assert_eq!(a?, b?);
        }
        Ok(())
    }
}

//! Bias and rectifier after a matrix product, in one pass forward and one backward.

use super::f32_slice;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};

/// `x + bias` with `x` `[R, B, out]` and one bias row per replica, `[R, out]`.
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
    if x.device().is_cpu() {
        return x.contiguous()?.apply_op2(&bias.contiguous()?, BiasActivation { relu });
    }
    let sum = x.broadcast_add(&bias.unsqueeze(1)?)?;
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
        if bias_layout.shape().dims2()? != (replicas, out) {
            bail!("bias_activation: bias {:?} does not fit {:?}", bias_layout.shape(), x_layout.shape());
        }
        let x = f32_slice(self.name(), x, x_layout)?;
        let bias = f32_slice(self.name(), bias, bias_layout)?;
        let mut y = Vec::with_capacity(x.len());
        for (rows, bias) in x.chunks_exact(batch * out).zip(bias.chunks_exact(out)) {
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

    fn bwd(&self, _: &Tensor, _: &Tensor, y: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let grad_x = if self.relu { grad.apply_op2_no_bwd(y, &MaskPositive)? } else { grad };
        let grad_bias = grad_x.apply_op1_no_bwd(&SumOverBatch)?;
        Ok((Some(grad_x), Some(grad_bias)))
    }
}

/// `max(z, 0)` that lets NaN through, so that a diverged model is noticed (`f32::max` would turn it into 0).
fn rectify(z: f32) -> f32 {
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

/// `[R, B, out]` summed over `B`.
struct SumOverBatch;

impl CustomOp1 for SumOverBatch {
    fn name(&self) -> &'static str {
        "sum_over_batch"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (replicas, batch, out) = layout.shape().dims3()?;
        let x = f32_slice(self.name(), x, layout)?;
        let mut sums = vec![0f32; replicas * out];
        for (rows, sums) in x.chunks_exact(batch * out).zip(sums.chunks_exact_mut(out)) {
            for row in rows.chunks_exact(out) {
                for (sum, value) in sums.iter_mut().zip(row) {
                    *sum += value;
                }
            }
        }
        Ok((CpuStorage::F32(sums), Shape::from((replicas, out))))
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
}

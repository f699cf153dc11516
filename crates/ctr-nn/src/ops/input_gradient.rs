//! The gradients of a linear layer's input, without a copy of the weights, and of its weights.

use super::{
    f32_slice,
    product::{Factor, Sizes, add_product, push_product},
};
#[cfg(feature = "cuda")]
use crate::cuda;
use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};
use multiversion::multiversion;
use std::ops::Range;

/// From so many samples on a CUDA device copies the weights.
#[cfg(feature = "cuda")]
const MANY_SAMPLES: usize = 1 << 14;

/// `grad W^T` for every replica, out of the graph: `grad` `[R, B, out]`, `weight` `[R, in, out]`, contiguous, on the CPU or a CUDA
/// device.
/// Where the input came out of a rectifier, its output `rectified` (`[R, B, in]`) lets the gradient through where positive.
///
/// # Errors
/// If the shapes do not fit.
pub(crate) fn input_gradient(grad: &Tensor, weight: &Tensor, rectified: Option<&Tensor>) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if grad.device().is_cuda() {
        let product = if grad.dim(0)? == 1 && grad.dim(1)? > MANY_SAMPLES {
            // A copy of the weights costs little beside many samples, and cuBLAS is faster with factors as they lie.
            let transposed = weight.transpose(1, 2)?.contiguous()?;
            cuda::product(cuda::Factor::Plain(grad), cuda::Factor::Plain(&transposed))?
        } else {
            cuda::product(cuda::Factor::Plain(grad), cuda::Factor::Transposed(weight))?
        };
        rectified.map_or(Ok(()), |rectified| cuda::mask_positive(&product, rectified))?;
        return Ok(product);
    }
    match rectified {
        Some(rectified) => grad.apply_op3_no_bwd(weight, rectified, &InputGradient),
        None => grad.apply_op2_no_bwd(weight, &InputGradient),
    }
}

/// `input^T grad` for every replica: `[R, B, in]` and `[R, B, out]`, contiguous, to `[R, in, out]`.
///
/// # Errors
/// If the shapes do not fit.
pub(crate) fn weight_gradient(input: &Tensor, grad: &Tensor) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if grad.device().is_cuda() {
        return cuda::product(cuda::Factor::Transposed(input), cuda::Factor::Plain(grad));
    }
    input.apply_op2_no_bwd(grad, &WeightGradient)
}

/// Samples whose products are added in one pass over the sum: their rows of both factors stay in the second-level cache.
const SAMPLES_AT_ONCE: usize = 128;

struct WeightGradient;

impl CustomOp2 for WeightGradient {
    fn name(&self) -> &'static str {
        "weight_gradient"
    }

    fn cpu_fwd(
        &self,
        input: &CpuStorage,
        input_layout: &Layout,
        grad: &CpuStorage,
        grad_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (replicas, batch, rows) = input_layout.shape().dims3()?;
        let columns = grad_layout.shape().dims3()?.2;
        if grad_layout.dims() != [replicas, batch, columns] {
            bail!("weight_gradient: gradients {:?} do not fit {:?}", grad_layout.shape(), input_layout.shape());
        }
        let (input, grad) = (f32_slice(self.name(), input, input_layout)?, f32_slice(self.name(), grad, grad_layout)?);
        let mut out = Vec::with_capacity(replicas * rows * columns);
        for replica in 0..replicas {
            let sizes = |samples: &Range<usize>| Sizes { rows, inner: samples.len(), columns };
            let factors = |samples: &Range<usize>| {
                let of =
                    |width: usize| (replica * batch + samples.start) * width..(replica * batch + samples.end) * width;
                (Factor::Transposed(&input[of(rows)]), Factor::Plain(&grad[of(columns)]))
            };
            let first = 0..batch.min(SAMPLES_AT_ONCE);
            let (left, right) = factors(&first);
            push_product(&mut out, left, right, sizes(&first))?;
            let sum = &mut out[replica * rows * columns..];
            for start in (first.end..batch).step_by(SAMPLES_AT_ONCE) {
                let samples = start..batch.min(start + SAMPLES_AT_ONCE);
                let (left, right) = factors(&samples);
                add_product(sum, 1.0, left, right, sizes(&samples))?;
            }
        }
        Ok((CpuStorage::F32(out), Shape::from((replicas, rows, columns))))
    }
}

struct InputGradient;

/// Leaves the gradient where `y` is positive, and 0 elsewhere.
#[allow(clippy::needless_range_loop)] // Plain loops, as `width.rs` says why.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn mask(grad: &mut [f32], y: &[f32]) {
    let y = &y[..grad.len()];
    for i in 0..grad.len() {
        grad[i] = if y[i] > 0.0 { grad[i] } else { 0.0 };
    }
}

impl InputGradient {
    fn run(
        (grad, grad_layout): (&CpuStorage, &Layout),
        (weight, weight_layout): (&CpuStorage, &Layout),
        rectified: Option<(&CpuStorage, &Layout)>,
    ) -> Result<(CpuStorage, Shape)> {
        let (replicas, batch, output) = grad_layout.shape().dims3()?;
        let input = weight_layout.shape().dims3()?.1;
        let shape = Shape::from((replicas, batch, input));
        let fits = rectified.is_none_or(|(_, layout)| layout.shape() == &shape);
        if weight_layout.dims() != [replicas, input, output] || !fits {
            bail!("input_gradient: weights {:?} do not fit {:?}", weight_layout.shape(), grad_layout.shape());
        }
        let (grad, weight) =
            (f32_slice("input_gradient", grad, grad_layout)?, f32_slice("input_gradient", weight, weight_layout)?);
        let rectified = rectified.map(|(y, layout)| f32_slice("input_gradient", y, layout)).transpose()?;
        let (size, sizes) = (batch * input, Sizes { rows: batch, inner: output, columns: input });
        let mut out = Vec::with_capacity(replicas * size);
        for replica in 0..replicas {
            let grad = &grad[replica * batch * output..][..batch * output];
            let weight = &weight[replica * input * output..][..input * output];
            push_product(&mut out, Factor::Plain(grad), Factor::Transposed(weight), sizes)?;
            if let Some(y) = rectified {
                mask(&mut out[replica * size..], &y[replica * size..][..size]);
            }
        }
        Ok((CpuStorage::F32(out), shape))
    }
}

impl CustomOp2 for InputGradient {
    fn name(&self) -> &'static str {
        "input_gradient"
    }

    fn cpu_fwd(
        &self,
        grad: &CpuStorage,
        grad_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        Self::run((grad, grad_layout), (weight, weight_layout), None)
    }
}

impl CustomOp3 for InputGradient {
    fn name(&self) -> &'static str {
        "input_gradient"
    }

    fn cpu_fwd(
        &self,
        grad: &CpuStorage,
        grad_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        rectified: &CpuStorage,
        rectified_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        Self::run((grad, grad_layout), (weight, weight_layout), Some((rectified, rectified_layout)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{largest_difference, mask_positive, wave};

    #[test]
    fn equals_product_and_mask() -> Result<()> {
        for (batch, input, output) in [(3, 5, 4), (32, 33, 17), (32, 4, 1), (40, 7, 6)] {
            let (grad, weight) = (wave(&[2, batch, output], 0.3)?, wave(&[2, input, output], 0.7)?);
            let (product, y) = (grad.matmul(&weight.t()?)?, wave(&[2, batch, input], 1.1)?);
            assert!(largest_difference(&input_gradient(&grad, &weight, None)?, &product)? < 1e-5);
            let expected = mask_positive(&product, &y)?;
            assert!(largest_difference(&input_gradient(&grad, &weight, Some(&y))?, &expected)? < 1e-5);
        }
        // More samples than are added at once.
        for (batch, input, output) in [(3, 5, 4), (300, 7, 30), (128, 1, 9)] {
            let (x, grad) = (wave(&[2, batch, input], 0.3)?, wave(&[2, batch, output], 0.7)?);
            assert!(largest_difference(&weight_gradient(&x, &grad)?, &x.transpose(1, 2)?.matmul(&grad)?)? < 2e-5);
        }
        let message = weight_gradient(&wave(&[2, 3, 5], 1.0)?, &wave(&[2, 4, 5], 1.0)?).unwrap_err().to_string();
        assert!(message.contains("do not fit"), "{message}");
        let message = input_gradient(&wave(&[2, 3, 5], 1.0)?, &wave(&[2, 5, 4], 1.0)?, None).unwrap_err().to_string();
        assert!(message.contains("do not fit"), "{message}");
        Ok(())
    }
}

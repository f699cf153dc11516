//! The gradients of a linear layer's input, without a copy of the weights, and of its weights.

use super::{f32_slice, mask_positive};
#[cfg(feature = "cuda")]
use crate::cuda;
use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};
use gemm::{Parallelism, gemm};

/// The product of so few samples is computed transposed, with them as the rows of its register tiles (16 with AVX2): that
/// leaves `W` where it lies, while the plain product copies it into panels, which is small only beside many samples.
const FEW_SAMPLES: usize = 32;
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
    if grad.dim(1)? > FEW_SAMPLES {
        let product = grad.matmul(&weight.transpose(1, 2)?)?;
        return rectified.map_or(Ok(product.clone()), |rectified| mask_positive(&product, rectified));
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
    input.transpose(1, 2)?.matmul(grad)
}

/// Columns that [`transpose`] writes together: half a cache line.
const BLOCK: usize = 8;

struct InputGradient;

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
        let size = batch * input;
        let mut out = vec![0f32; replicas * size];
        // `[in, B]`
        let mut product = vec![0f32; size];
        for replica in 0..if size == 0 { 0 } else { replicas } {
            let grad = &grad[replica * batch * output..][..batch * output];
            let weight = &weight[replica * input * output..][..input * output];
            // SAFETY: the three slices hold `batch x input`, `batch x output` and `input x output` values, which is what
            // the sizes and strides below reach, and the first is borrowed mutably.
            unsafe {
                gemm(
                    batch,
                    input,
                    output,
                    product.as_mut_ptr(),
                    batch as isize,
                    1,
                    false,
                    grad.as_ptr(),
                    1,
                    output as isize,
                    weight.as_ptr(),
                    output as isize,
                    1,
                    0.0,
                    1.0,
                    false,
                    false,
                    false,
                    Parallelism::None,
                );
            }
            let out = &mut out[replica * size..][..size];
            transpose(&product, out, batch);
            if let Some(y) = rectified {
                for (grad, y) in out.iter_mut().zip(&y[replica * size..][..size]) {
                    *grad = if *y > 0.0 { *grad } else { 0.0 };
                }
            }
        }
        Ok((CpuStorage::F32(out), shape))
    }
}

/// `from` is `[columns, rows]`, `to` `[rows, columns]`.
fn transpose(from: &[f32], to: &mut [f32], rows: usize) {
    let columns = to.len() / rows;
    let blocks = columns / BLOCK * BLOCK;
    for first in (0..blocks).step_by(BLOCK) {
        let lines: [&[f32]; BLOCK] = std::array::from_fn(|line| &from[(first + line) * rows..][..rows]);
        for row in 0..rows {
            let block: &mut [f32] = &mut to[row * columns + first..][..BLOCK];
            for (value, line) in block.iter_mut().zip(lines) {
                *value = line[row];
            }
        }
    }
    for column in blocks..columns {
        for row in 0..rows {
            to[row * columns + column] = from[column * rows + row];
        }
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
    use crate::ops::{largest_difference, wave};

    #[test]
    fn equals_product_and_mask() -> Result<()> {
        for (batch, input, output) in [(3, 5, 4), (32, 33, 17), (32, 4, 1), (40, 7, 6)] {
            let (grad, weight) = (wave(&[2, batch, output], 0.3)?, wave(&[2, input, output], 0.7)?);
            let (product, y) = (grad.matmul(&weight.t()?)?, wave(&[2, batch, input], 1.1)?);
            assert!(largest_difference(&input_gradient(&grad, &weight, None)?, &product)? < 1e-5);
            let expected = mask_positive(&product, &y)?;
            assert!(largest_difference(&input_gradient(&grad, &weight, Some(&y))?, &expected)? < 1e-5);
        }
        let message = input_gradient(&wave(&[2, 3, 5], 1.0)?, &wave(&[2, 5, 4], 1.0)?, None).unwrap_err().to_string();
        assert!(message.contains("do not fit"), "{message}");
        Ok(())
    }
}

//! Steps of plain gradient descent: on a matrix by the matrix product that its gradient is, on a bias by the sums that its is.

#[cfg(feature = "cuda")]
use super::{Rows, sum_to_bias};
use super::{
    Update,
    bias_activation::add_rows,
    f32_slice, f32_slice_mut, in_place,
    product::{Factor, Sizes, add_product},
};
#[cfg(feature = "cuda")]
use crate::cuda;
use candle_core::{CpuStorage, InplaceOp3, Layout, Result, Storage, Tensor, bail};

/// `weight -= learning_rate * input^T grad` for every replica: `weight` `[R, in, out]`, `input` `[R, B, in]`, `grad`
/// `[R, B, out]`, contiguous, on the CPU or a CUDA device. The gradient is never written down, which saves two passes over memory that
/// is larger than the weights of a chunk's users leave room for in the cache.
///
/// # Errors
/// If the shapes do not fit.
pub(crate) fn descend(weight: &Tensor, input: &Tensor, grad: &Tensor, learning_rate: f32) -> Result<()> {
    #[cfg(feature = "cuda")]
    if weight.device().is_cuda() {
        return cuda::add_product(weight, cuda::Factor::Transposed(input), cuda::Factor::Plain(grad), -learning_rate);
    }
    weight.inplace_op3(input, grad, &Descend { learning_rate })
}

/// `parameter -= learning_rate * grad`, contiguous, of one shape, on the CPU or a CUDA device.
///
/// # Errors
/// If the shapes do not fit.
pub(crate) fn descend_by(parameter: &Tensor, grad: &Tensor, learning_rate: f32) -> Result<()> {
    if parameter.dims() != grad.dims() {
        bail!("a gradient {:?} does not fit its parameter {:?}", grad.shape(), parameter.shape());
    }
    #[cfg(feature = "cuda")]
    if parameter.device().is_cuda() {
        return cuda::update_rows(parameter, None, grad, Update::Sgd { learning_rate, l2: 0.0 }, &Rows::All);
    }
    let (storage, layout) = grad.storage_and_layout();
    let Storage::Cpu(storage) = &*storage else { bail!("descend works on the CPU and on CUDA devices") };
    let grad = f32_slice("descend", storage, layout)?;
    in_place(parameter, |values| {
        Update::Sgd { learning_rate, l2: 0.0 }.apply(values, &mut [], grad);
        Ok(())
    })
}

/// `bias -= learning_rate * sum_b grad` for every replica: `bias` `[R, out]`, `grad` `[R, B, out]`, contiguous, on the CPU or a CUDA
/// device.
///
/// # Errors
/// If the shapes do not fit.
pub(crate) fn descend_by_row_sums(bias: &Tensor, grad: &Tensor, learning_rate: f32) -> Result<()> {
    let (replicas, batch, out) = grad.dims3()?;
    if bias.dims() != [replicas, out] {
        bail!("a gradient {:?} does not fit the bias {:?}", grad.shape(), bias.shape());
    }
    #[cfg(feature = "cuda")]
    if bias.device().is_cuda() {
        return descend_by(bias, &sum_to_bias(grad, bias)?, learning_rate);
    }
    let (storage, layout) = grad.storage_and_layout();
    let Storage::Cpu(storage) = &*storage else { bail!("descend works on the CPU and on CUDA devices") };
    let grad = f32_slice("descend", storage, layout)?;
    let mut sums = vec![0.0; out];
    in_place(bias, |bias| {
        for replica in 0..replicas {
            sums.fill(0.0);
            add_rows(&mut sums, &grad[replica * batch * out..][..batch * out]);
            let own = &mut bias[replica * out..][..out];
            Update::Sgd { learning_rate, l2: 0.0 }.apply(own, &mut [], &sums);
        }
        Ok(())
    })
}

struct Descend {
    learning_rate: f32,
}

impl InplaceOp3 for Descend {
    fn name(&self) -> &'static str {
        "descend"
    }

    fn cpu_fwd(
        &self,
        weight: &mut CpuStorage,
        weight_layout: &Layout,
        input: &CpuStorage,
        input_layout: &Layout,
        grad: &CpuStorage,
        grad_layout: &Layout,
    ) -> Result<()> {
        let (replicas, rows, columns) = weight_layout.shape().dims3()?;
        let batch = input_layout.shape().dims3()?.1;
        if input_layout.dims() != [replicas, batch, rows] || grad_layout.dims() != [replicas, batch, columns] {
            let (input, grad) = (input_layout.shape(), grad_layout.shape());
            bail!("descend: {input:?} and {grad:?} do not fit {:?}", weight_layout.shape());
        }
        if rows * columns * batch == 0 {
            return Ok(());
        }
        let weight = f32_slice_mut(self.name(), weight, weight_layout)?;
        let input = f32_slice(self.name(), input, input_layout)?;
        let grad = f32_slice(self.name(), grad, grad_layout)?;
        let of_replica = weight.chunks_exact_mut(rows * columns).zip(input.chunks_exact(batch * rows));
        for ((weight, input), grad) in of_replica.zip(grad.chunks_exact(batch * columns)) {
            add_product(
                weight,
                -self.learning_rate,
                Factor::Transposed(input),
                Factor::Plain(grad),
                Sizes { rows, inner: batch, columns },
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{largest_difference, wave};
    use candle_core::Var;

    #[test]
    fn biases_descend_by_the_sums_of_rows() -> Result<()> {
        for (batch, out) in [(3, 4), (32, 17), (5, 1)] {
            let bias = Var::from_tensor(&wave(&[2, out], 0.7)?)?;
            let grad = wave(&[2, batch, out], 1.1)?;
            let expected = (bias.as_tensor() - (grad.sum(1)? * 0.05)?)?;
            descend_by_row_sums(&bias.as_detached_tensor(), &grad, 0.05)?;
            assert!(largest_difference(bias.as_tensor(), &expected)? < 1e-6);
        }
        assert!(descend_by_row_sums(&wave(&[2, 3], 1.0)?, &wave(&[2, 5, 4], 1.0)?, 0.1).is_err());
        Ok(())
    }

    #[test]
    fn equals_the_gradient_times_the_step_size() -> Result<()> {
        for (rows, columns, batch) in [(5, 4, 3), (33, 17, 9), (4, 1, 32)] {
            let weight = Var::from_tensor(&wave(&[2, rows, columns], 0.7)?)?;
            let (input, grad) = (wave(&[2, batch, rows], 0.3)?, wave(&[2, batch, columns], 1.1)?);
            let expected = (weight.as_tensor() - (input.transpose(1, 2)?.matmul(&grad)? * 0.05)?)?;
            descend(&weight.as_detached_tensor(), &input, &grad, 0.05)?;
            assert!(largest_difference(weight.as_tensor(), &expected)? < 1e-6);
        }
        let message = descend(&wave(&[2, 3, 4], 1.0)?, &wave(&[2, 5, 4], 1.0)?, &wave(&[2, 5, 4], 1.0)?, 0.1);
        assert!(message.unwrap_err().to_string().contains("do not fit"));
        Ok(())
    }
}

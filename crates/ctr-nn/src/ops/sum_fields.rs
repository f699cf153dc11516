//! The sum of one number per field.

use super::f32_slice;
use candle_core::{Result, Storage, Tensor};

/// `[R, B, F, 1]` to `[R, B]`.
///
/// # Errors
/// If the input is not of this shape.
pub(crate) fn sum_fields(values: &Tensor) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if values.device().is_cuda() && !values.track_op() {
        return crate::cuda::sum_fields(&values.contiguous()?);
    }
    values.squeeze(3)?.sum(2)
}

/// The gradient of [`sum_fields`]: `[R, B]` to `[R, B, fields, 1]`.
///
/// # Errors
/// If the input is not of this shape.
pub(crate) fn repeat_fields(grad: &Tensor, fields: usize) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if grad.device().is_cuda() {
        return crate::cuda::repeat_fields(&grad.contiguous()?, fields);
    }
    let (replicas, batch) = grad.dims2()?;
    let shape = (replicas, batch, fields, 1);
    let grad = grad.contiguous()?;
    let (storage, layout) = grad.storage_and_layout();
    let Storage::Cpu(storage) = &*storage else {
        return grad.unsqueeze(2)?.unsqueeze(3)?.broadcast_as(shape)?.contiguous();
    };
    // candle's copy of a broadcast tensor takes its values one by one.
    let mut repeated = vec![0.0; replicas * batch * fields];
    for (repeated, &grad) in repeated.chunks_exact_mut(fields.max(1)).zip(f32_slice("repeat_fields", storage, layout)?)
    {
        repeated.fill(grad);
    }
    Tensor::from_vec(repeated, shape, grad.device())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::wave;

    #[test]
    fn repeats_as_candle_broadcasts() -> Result<()> {
        for fields in [0, 1, 3, 8] {
            // As it lies, and transposed.
            for grad in [wave(&[2, 5], 0.3)?, wave(&[5, 2], 0.3)?.t()?] {
                let plain = grad.unsqueeze(2)?.unsqueeze(3)?.broadcast_as((2, 5, fields, 1))?;
                let repeated = repeat_fields(&grad, fields)?;
                assert_eq!(repeated.dims(), plain.dims());
                assert_eq!(repeated.flatten_all()?.to_vec1::<f32>()?, plain.flatten_all()?.to_vec1::<f32>()?);
            }
        }
        Ok(())
    }
}

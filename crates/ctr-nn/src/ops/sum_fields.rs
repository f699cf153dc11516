//! The sum of one number per field.

use candle_core::{Result, Tensor};

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
    grad.unsqueeze(2)?.unsqueeze(3)?.broadcast_as((replicas, batch, fields, 1))?.contiguous()
}

//! What stands around the matrix products of dense layers.

use super::ffi;
use super::memory::{check, device_of, empty, pointer, stream_of};
use candle_core::{Result, Shape, Tensor, bail};

/// Rows that one block sums; beyond that the rows are cut into slices, as long as their sums stay few.
const ROWS_PER_SLICE: usize = 2048;
const MOST_RUNS_OF_SLICES: usize = 64;

/// `x += bias` in place, `[R, B, out]` and `[R, out]`, followed by a rectifier if `rectified`.
///
/// # Errors
/// If the shapes do not fit.
pub(crate) fn add_bias(x: &Tensor, bias: &Tensor, rectified: bool) -> Result<()> {
    let (replicas, batch, width) = x.dims3()?;
    if bias.dims() != [replicas, width] {
        bail!("a bias {:?} does not fit {:?}", bias.shape(), x.shape());
    }
    let (values, bias) = (pointer::<f32>(x)?, pointer::<f32>(bias)?);
    let stream = stream_of(&device_of(x)?)?;
    // SAFETY: the sizes are those of the tensors that the pointers belong to.
    let code = unsafe {
        ffi::ctr_add_bias(values, bias, x.elem_count(), width as u32, batch as u32, i32::from(rectified), stream)
    };
    check("bias", code)
}

/// `x = max(x, 0)` in place.
///
/// # Errors
/// If the tensor is not as it must be.
pub(crate) fn rectify(x: &Tensor) -> Result<()> {
    let (values, stream) = (pointer::<f32>(x)?, stream_of(&device_of(x)?)?);
    // SAFETY: the size is that of the tensor.
    check("rectifier", unsafe { ffi::ctr_rectify(values, x.elem_count(), stream) })
}

/// Zeroes `grad` in place where the rectifier's output `y` is not positive.
///
/// # Errors
/// If the shapes differ.
pub(crate) fn mask_positive(grad: &Tensor, y: &Tensor) -> Result<()> {
    if grad.elem_count() != y.elem_count() {
        bail!("a gradient {:?} does not fit {:?}", grad.shape(), y.shape());
    }
    let (values, y) = (pointer::<f32>(grad)?, pointer::<f32>(y)?);
    let stream = stream_of(&device_of(grad)?)?;
    // SAFETY: both hold as many values.
    check("rectifier's gradient", unsafe { ffi::ctr_mask_positive(values, y, grad.elem_count(), stream) })
}

/// `[…, width]` summed over the rows that share one of the results, which have the shape `sums` (`[…, width]`).
///
/// # Errors
/// If the shapes do not fit.
pub(crate) fn sum_rows(x: &Tensor, sums: &Shape) -> Result<Tensor> {
    let device = device_of(x)?;
    let width = sums.dims().last().copied().unwrap_or(1);
    let runs = sums.elem_count() / width.max(1);
    let rows = x.elem_count() / sums.elem_count().max(1);
    if runs * rows * width != x.elem_count() {
        bail!("{:?} cannot be summed to {sums:?}", x.shape());
    }
    let sliced = runs <= MOST_RUNS_OF_SLICES && rows > ROWS_PER_SLICE;
    let rows_per_slice = if sliced { ROWS_PER_SLICE } else { rows.max(1) };
    let (out, values) = empty::<f32>(&device, sums.clone())?;
    let slice_values = if sliced { rows.div_ceil(rows_per_slice) * runs * width } else { 0 };
    let (_slices, slices) = empty::<f32>(&device, slice_values)?;
    let (x, stream) = (pointer::<f32>(x)?, stream_of(&device)?);
    // SAFETY: the sizes are those of the tensors that the pointers belong to.
    let code = unsafe {
        ffi::ctr_sum_rows(x, values, slices, runs as u32, rows as u32, width as u32, rows_per_slice as u32, stream)
    };
    check("sum over rows", code)?;
    Ok(out)
}

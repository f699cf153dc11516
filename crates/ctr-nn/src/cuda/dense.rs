//! What stands around the matrix products of dense layers.

use super::ffi;
use super::memory::{check, device_of, empty, pointer, stream_of};
use candle_core::{CudaDevice, Result, Shape, Tensor, bail};

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
    let rows_per_slice = rows_per_slice(runs, rows);
    let (out, values) = empty::<f32>(&device, sums.clone())?;
    let (_slices, slices) = slice_sums(&device, runs, rows, width)?;
    let (x, stream) = (pointer::<f32>(x)?, stream_of(&device)?);
    // SAFETY: the sizes are those of the tensors that the pointers belong to.
    let code = unsafe {
        ffi::ctr_sum_rows(x, values, slices, runs as u32, rows as u32, width as u32, rows_per_slice as u32, stream)
    };
    check("sum over rows", code)?;
    Ok(out)
}

fn rows_per_slice(runs: usize, rows: usize) -> usize {
    if runs <= MOST_RUNS_OF_SLICES && rows > ROWS_PER_SLICE { ROWS_PER_SLICE } else { rows.max(1) }
}

/// Room for the sums of slices; none is needed for one.
fn slice_sums(device: &CudaDevice, runs: usize, rows: usize, width: usize) -> Result<(Tensor, *mut f32)> {
    let slices = rows.div_ceil(rows_per_slice(runs, rows));
    empty::<f32>(device, if slices > 1 { slices * runs * width } else { 0 })
}

/// The gradient of a rectifier's output.
pub(crate) enum RectifiedGradient<'a> {
    /// `[R, B, width]`; masked in place.
    Whole(Tensor),
    /// The product of `[R, B, 1]` and `[R, width, 1]` transposed.
    Outer(&'a Tensor, &'a Tensor),
}

/// The gradient of a rectifier's input from its output `y` (`[R, B, width]`), and its sums over `B`, `[R, width]`.
///
/// # Errors
/// If the shapes do not fit.
pub(crate) fn mask_and_sum(grad: RectifiedGradient, y: &Tensor) -> Result<(Tensor, Tensor)> {
    let (runs, rows, width) = y.dims3()?;
    let device = device_of(y)?;
    let null = std::ptr::null_mut::<f32>();
    let (out, values, column, row) = match grad {
        RectifiedGradient::Whole(grad) if grad.dims() == y.dims() => {
            let values = pointer::<f32>(&grad)?;
            (grad, values, null, null)
        }
        RectifiedGradient::Outer(column, row) if column.dims() == [runs, rows, 1] && row.dims() == [runs, width, 1] => {
            let (out, values) = empty::<f32>(&device, y.shape().clone())?;
            (out, values, pointer::<f32>(column)?, pointer::<f32>(row)?)
        }
        _ => bail!("a gradient does not fit the rectifier's output {:?}", y.shape()),
    };
    let (sums, totals) = empty::<f32>(&device, (runs, width))?;
    let (_slices, slices) = slice_sums(&device, runs, rows, width)?;
    let (y, stream, rows_per_slice) = (pointer::<f32>(y)?, stream_of(&device)?, rows_per_slice(runs, rows) as u32);
    // SAFETY: the shapes were held against each other above.
    let code = unsafe {
        ffi::ctr_mask_and_sum(
            values,
            y,
            column,
            row,
            totals,
            slices,
            runs as u32,
            rows as u32,
            width as u32,
            rows_per_slice,
            stream,
        )
    };
    check("rectifier's gradient", code)?;
    Ok((out, sums))
}

//! Table rows: gathered, and updated where they were looked up.

use super::ffi::{self, UpdateRule};
use super::memory::{check, device_of, empty, empty_variable, pointer, stream_of};
use crate::ops::{Rows, Update};
use candle_core::{DType, Result, Tensor, Var, bail};

/// Look-ups that one group of threads adds up, one after the other: few, so that all of the device has work.
const TILE_LEN: usize = 16;

/// Rows of `table` (`[rows, dim]`) at `ids` (any shape), `[ids.shape…, dim]`; padding reads zeros, an id out of range NaN.
///
/// # Errors
/// If a tensor is not as it must be, or memory runs out.
pub(crate) fn gather_rows(table: &Tensor, ids: &Tensor) -> Result<Tensor> {
    let (out, values) = empty::<f32>(&device_of(table)?, gathered_shape(table, ids)?)?;
    gather(table, ids, values)?;
    Ok(out)
}

/// The same as a variable of its own.
///
/// # Errors
/// If a tensor is not as it must be, or memory runs out.
pub(crate) fn gather_rows_as_variable(table: &Tensor, ids: &Tensor) -> Result<Var> {
    let (out, values) = empty_variable::<f32>(&device_of(table)?, gathered_shape(table, ids)?)?;
    gather(table, ids, values)?;
    Ok(out)
}

/// `values` `count` times along the first dimension, as a variable of this `shape`.
///
/// # Errors
/// If a tensor is not as it must be, or memory runs out.
pub(crate) fn repeat_as_variable(values: &Tensor, count: usize, shape: Vec<usize>) -> Result<Var> {
    let (out, repeated) = empty_variable::<f32>(&device_of(values)?, shape)?;
    // As the only row of a table.
    let row = values.reshape((1, values.elem_count()))?;
    gather(&row, &Tensor::zeros(count, DType::U32, values.device())?, repeated)?;
    Ok(out)
}

fn gathered_shape(table: &Tensor, ids: &Tensor) -> Result<Vec<usize>> {
    Ok([ids.dims(), &[table.dims2()?.1]].concat())
}

fn gather(table: &Tensor, ids: &Tensor, values: *mut f32) -> Result<()> {
    let ((rows, dim), device) = (table.dims2()?, device_of(table)?);
    let (table, ids_of) = (pointer::<f32>(table)?, pointer::<u32>(ids)?);
    let stream = stream_of(&device)?;
    // SAFETY: the sizes are those of the tensors that the pointers belong to.
    let code =
        unsafe { ffi::ctr_gather_rows(table, ids_of, values, ids.elem_count(), dim as u32, rows as u32, stream) };
    check("gather_rows", code)
}

/// Look-ups sorted by the row that they read; those of one row keep their order.
#[derive(Debug)]
pub(crate) struct SortedLookups {
    /// Sorted rows, padding behind.
    rows: Tensor,
    /// Where each look-up stood.
    positions: Tensor,
}

impl SortedLookups {
    /// Sorts `ids` (`[look-ups]`).
    ///
    /// # Errors
    /// If memory runs out.
    pub fn new(ids: &Tensor) -> Result<Self> {
        let (device, count) = (device_of(ids)?, ids.elem_count());
        if u32::try_from(count).is_err() {
            bail!("{count} look-ups in one step are more than 2^32; make the batch smaller");
        }
        // All bits, since the tables' sizes are not known here; their number costs little beside the launches.
        let bits = 32;
        let (rows, sorted) = empty::<u32>(&device, count)?;
        let (positions, permutation) = empty::<u32>(&device, count)?;
        let (_numbers, numbers) = empty::<u32>(&device, count)?;
        let ids = pointer::<u32>(ids)?;
        let stream = stream_of(&device)?;
        let mut bytes = 0;
        // SAFETY: the call writes one `usize`.
        check("sort of look-ups", unsafe { ffi::ctr_sort_lookups_scratch(count, bits, &mut bytes) })?;
        let (_scratch, scratch) = empty::<u8>(&device, bytes)?;
        // SAFETY: all arrays hold `count` values, and the scratch as many bytes as were asked for.
        let code =
            unsafe { ffi::ctr_sort_lookups(scratch, bytes, ids, sorted, numbers, permutation, count, bits, stream) };
        check("sort of look-ups", code)?;
        Ok(Self { rows, positions })
    }

    /// Updates every row that was looked up by the sum of its gradients (`[look-ups, dim]`, in the order of the look-ups).
    ///
    /// # Errors
    /// If a shape does not fit or memory runs out.
    pub fn update(&self, table: &Tensor, state: Option<&Tensor>, grads: &Tensor, update: Update) -> Result<()> {
        let per_value = state.map_or(0, Tensor::elem_count) / table.elem_count().max(1);
        if per_value != update.state_per_value() {
            bail!("{update:?} needs {} values of state for each of {:?}", update.state_per_value(), table.shape());
        }
        self.run(table, state, grads, update.into())
    }

    /// A table of `rows` rows: where looked up, the sum of the gradients, elsewhere zero.
    ///
    /// # Errors
    /// If a shape does not fit or memory runs out.
    pub fn sums(&self, grads: &Tensor, rows: usize) -> Result<Tensor> {
        let table = Tensor::zeros((rows, grads.dim(1)?), DType::F32, grads.device())?;
        self.run(&table, None, grads, UpdateRule::WRITE)?;
        Ok(table)
    }

    fn run(&self, table: &Tensor, state: Option<&Tensor>, grads: &Tensor, rule: UpdateRule) -> Result<()> {
        let ((rows, dim), count) = (table.dims2()?, self.positions.elem_count());
        if grads.dims() != [count, dim] {
            bail!("gradients {:?} of {count} look-ups do not fit a table {:?}", grads.shape(), table.shape());
        }
        let device = device_of(table)?;
        let (_partial_sums, partial_sums) = empty::<f32>(&device, 2 * count.div_ceil(TILE_LEN) * dim)?;
        let state = state.map_or(Ok(std::ptr::null_mut()), pointer::<f32>)?;
        let (sorted, positions) = (pointer::<u32>(&self.rows)?, pointer::<u32>(&self.positions)?);
        let (grads, values, stream) = (pointer::<f32>(grads)?, pointer::<f32>(table)?, stream_of(&device)?);
        // SAFETY: the shapes were held against each other above, and the state's by the callers.
        let code = unsafe {
            ffi::ctr_update_looked_up(
                sorted,
                positions,
                grads,
                count,
                dim as u32,
                values,
                state,
                rows as u32,
                rule,
                TILE_LEN as u32,
                partial_sums,
                stream,
            )
        };
        check("update of looked-up rows", code)
    }
}

/// Updates rows (slices along the first dimension) of a parameter in place.
///
/// # Errors
/// If a shape does not fit, or rows are out of range or not in ascending order.
pub(crate) fn update_rows(
    parameter: &Tensor,
    state: Option<&Tensor>,
    grad: &Tensor,
    update: Update,
    rows: &Rows,
) -> Result<()> {
    let per_value = state.map_or(0, Tensor::elem_count) / parameter.elem_count().max(1);
    if grad.dims() != parameter.dims() || per_value != update.state_per_value() {
        bail!("a gradient {:?} and {per_value} values of state do not fit {:?}", grad.shape(), parameter.shape());
    }
    let all = parameter.dim(0)?;
    rows.check(all)?;
    let device = device_of(parameter)?;
    let listed = match rows {
        Rows::All => None,
        Rows::Active(active) => Some(Tensor::new(&**active, parameter.device())?),
    };
    let active = listed.as_ref().map_or(Ok(std::ptr::null_mut()), pointer::<u32>)?;
    let count = listed.as_ref().map_or(all, Tensor::elem_count);
    let row_len = parameter.elem_count() / all.max(1);
    let state = state.map_or(Ok(std::ptr::null_mut()), pointer::<f32>)?;
    let (values, grad, stream) = (pointer::<f32>(parameter)?, pointer::<f32>(grad)?, stream_of(&device)?);
    // SAFETY: shapes and rows were held against the parameter's above, and no row is updated twice at once.
    let code =
        unsafe { ffi::ctr_update_rows(values, state, grad, update.into(), active, count, row_len as u32, stream) };
    check("update of a parameter", code)
}

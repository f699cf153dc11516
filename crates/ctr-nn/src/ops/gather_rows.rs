//! Rows of a table, gathered by id, with a backward that adds each gradient row where it came from.

#[cfg(feature = "cuda")]
use super::precomputed;
use super::prefetch::{self, ROWS_AHEAD, prefetch};
use super::{f32_slice, has_cpu_kernels, u32_slice, width::for_width};
#[cfg(feature = "cuda")]
use crate::cuda;
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Storage, Tensor, Var, bail};
use multiversion::multiversion;

/// An id that stands for no row: it reads zeros and passes no gradient on.
pub const PADDING_ROW: u32 = u32::MAX;

/// Gathers rows of `table` (`[rows, dim]`) at `ids` (any shape, `u32`): the result is `[ids.shape…, dim]`.
///
/// An id of [`PADDING_ROW`] yields zeros. Other ids must be below `rows`.
///
/// # Errors
/// If the table is not of rank 2 or an id is out of range.
pub(crate) fn gather_rows(table: &Tensor, ids: &Tensor) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if table.device().is_cuda() {
        return gather_on_cuda(table, ids);
    }
    if has_cpu_kernels(table.device()) {
        table.contiguous()?.apply_op2(&ids.contiguous()?, GatherRows)
    } else {
        let mut shape = ids.dims().to_vec();
        shape.push(table.dims2()?.1);
        table.index_select(&ids.flatten_all()?, 0)?.reshape(shape)
    }
}

/// The gather by a kernel; a node of the graph where `table` has a gradient.
#[cfg(feature = "cuda")]
fn gather_on_cuda(table: &Tensor, ids: &Tensor) -> Result<Tensor> {
    let ids = ids.contiguous()?;
    let rows = cuda::gather_rows(&table.detach().contiguous()?, &ids)?;
    if !table.track_op() {
        return Ok(rows);
    }
    let count = table.dim(0)?;
    let ids = ids.flatten_all()?;
    let to_table = move |grad: &Tensor| scatter_add_rows(&grad.reshape((ids.elem_count(), ()))?, &ids, count).map(Some);
    precomputed(&table.contiguous()?, rows, Box::new(to_table))
}

/// The rows at `ids`, one after the other.
fn gather<const WIDTH: usize>(table: &[f32], ids: &[u32], dim: usize) -> Vec<f32> {
    let ahead = if prefetch::pays(table) { ROWS_AHEAD } else { ids.len() };
    let soon = |i: usize| {
        if let Some(&next) = ids.get(i + ahead) {
            prefetch(table, (next as usize).saturating_mul(dim), dim);
        }
    };
    if WIDTH > 0 {
        let (rows, _) = table.as_chunks::<WIDTH>();
        // In place and once: a row that an iterator returns goes by way of the stack (docs/performance.md).
        let mut values: Vec<[f32; WIDTH]> = Vec::with_capacity(ids.len());
        for (i, (&id, value)) in ids.iter().zip(values.spare_capacity_mut()).enumerate() {
            soon(i);
            match rows.get(id as usize) {
                Some(row) => value.write(*row),
                None => value.write([0.0; WIDTH]),
            };
        }
        // SAFETY: there is room for a row of every id, and each was written.
        unsafe { values.set_len(ids.len()) };
        return values.into_flattened();
    }
    let mut values = Vec::with_capacity(ids.len() * dim);
    for (i, &id) in ids.iter().enumerate() {
        soon(i);
        match id {
            PADDING_ROW => values.resize(values.len() + dim, 0.0),
            _ => values.extend_from_slice(&table[id as usize * dim..][..dim]),
        }
    }
    values
}

/// Makes sure that every id is of a table of `rows` rows or [`PADDING_ROW`].
///
/// # Errors
/// The first id that is neither.
pub(crate) fn check_ids(name: &str, ids: &[u32], rows: usize) -> Result<()> {
    let all = u32::try_from(rows).unwrap_or(PADDING_ROW);
    if any_beyond(ids, all)
        && let Some(id) = ids.iter().find(|id| is_beyond(**id, all))
    {
        bail!("{name}: row {id} is out of range for a table of {rows} rows");
    }
    Ok(())
}

#[inline(always)]
fn is_beyond(id: u32, rows: u32) -> bool {
    id >= rows && id != PADDING_ROW
}

/// Looks at all ids, in vectors; a search that ended at the first would look at one after the other.
#[multiversion(targets("x86_64+avx2"))]
fn any_beyond(ids: &[u32], rows: u32) -> bool {
    let mut any = false;
    for &id in ids {
        any |= is_beyond(id, rows);
    }
    any
}

struct GatherRows;

impl CustomOp2 for GatherRows {
    fn name(&self) -> &'static str {
        "gather_rows"
    }

    fn cpu_fwd(
        &self,
        table: &CpuStorage,
        table_layout: &Layout,
        ids: &CpuStorage,
        ids_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (rows, dim) = table_layout.shape().dims2()?;
        let table = f32_slice(self.name(), table, table_layout)?;
        let ids = u32_slice(self.name(), ids, ids_layout)?;
        check_ids("gather_rows", ids, rows)?;
        let values = for_width!(dim, gather(table, ids, dim));
        let mut shape = ids_layout.dims().to_vec();
        shape.push(dim);
        Ok((CpuStorage::F32(values), Shape::from(shape)))
    }

    fn bwd(&self, table: &Tensor, ids: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (rows, dim) = table.dims2()?;
        let grad = grad.reshape((ids.elem_count(), dim))?;
        Ok((Some(scatter_add_rows(&grad, &ids.flatten_all()?, rows)?), None))
    }
}

/// A table of `rows` zero rows to whose row `ids[i]` the row `i` of `values` (`[ids, dim]`) is added, in id order.
///
/// # Errors
/// If an id is out of range.
pub(crate) fn scatter_add_rows(values: &Tensor, ids: &Tensor, rows: usize) -> Result<Tensor> {
    if has_cpu_kernels(values.device()) {
        return values.contiguous()?.apply_op2_no_bwd(&ids.contiguous()?, &ScatterAddRows { rows });
    }
    #[cfg(feature = "cuda")]
    if values.device().is_cuda() {
        return cuda::SortedLookups::new(&ids.contiguous()?)?.sums(&values.contiguous()?, rows);
    }
    Tensor::zeros((rows, values.dim(1)?), values.dtype(), values.device())?.index_add(ids, values, 0)
}

/// The rows of `table` at `ids` (any shape) as a variable of its own, `[ids.shape…, dim]`; [`PADDING_ROW`] yields zeros. On
/// the CPU the rows are copied once, where a variable made of a tensor copies the tensor.
///
/// # Errors
/// If an id is out of range.
pub fn gather_rows_as_variable(table: &Tensor, ids: &Tensor) -> Result<Var> {
    let (table, ids) = (table.detach().contiguous()?, ids.contiguous()?);
    #[cfg(feature = "cuda")]
    if table.device().is_cuda() {
        return cuda::gather_rows_as_variable(&table, &ids);
    }
    if !has_cpu_kernels(table.device()) {
        return Var::from_tensor(&gather_rows(&table, &ids)?);
    }
    let (storage, layout) = table.storage_and_layout();
    let (ids_storage, ids_layout) = ids.storage_and_layout();
    let (Storage::Cpu(values), Storage::Cpu(ids_values)) = (&*storage, &*ids_storage) else {
        bail!("gather_rows_as_variable: table and ids are on different devices")
    };
    let (rows, shape) = GatherRows.cpu_fwd(values, layout, ids_values, ids_layout)?;
    match rows {
        CpuStorage::F32(rows) => Var::from_vec(rows, shape, table.device()),
        _ => bail!("gather_rows_as_variable works on f32 tables"),
    }
}

/// `values` `count` times along the first dimension, as a variable of its own.
///
/// # Errors
/// If the memory cannot be had.
pub fn repeat_as_variable(values: &Tensor, count: usize) -> Result<Var> {
    if values.rank() == 0 {
        bail!("repeat_as_variable: a scalar has no first dimension");
    }
    let mut shape = values.dims().to_vec();
    shape[0] *= count;
    #[cfg(feature = "cuda")]
    if values.device().is_cuda() {
        return cuda::repeat_as_variable(&values.contiguous()?, count, shape);
    }
    let (storage, layout) = values.storage_and_layout();
    let Storage::Cpu(storage) = &*storage else {
        // candle's own `repeat` copies once for each repetition.
        let repeated = values.unsqueeze(0)?.broadcast_as([&[count], values.dims()].concat())?;
        return Var::from_tensor(&repeated.contiguous()?.reshape(shape)?);
    };
    // One copy, where a variable made of a repeated tensor is two or three.
    Var::from_vec(f32_slice("repeat_as_variable", storage, layout)?.repeat(count), shape, values.device())
}

/// Adds row `i` of the gradient (`[ids, dim]`) to row `ids[i]` of a zero table (`[rows, dim]`), in id order.
struct ScatterAddRows {
    rows: usize,
}

impl CustomOp2 for ScatterAddRows {
    fn name(&self) -> &'static str {
        "scatter_add_rows"
    }

    fn cpu_fwd(
        &self,
        grad: &CpuStorage,
        grad_layout: &Layout,
        ids: &CpuStorage,
        ids_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (_, dim) = grad_layout.shape().dims2()?;
        let grad = f32_slice(self.name(), grad, grad_layout)?;
        let ids = u32_slice(self.name(), ids, ids_layout)?;
        check_ids(self.name(), ids, self.rows)?;
        if dim == 0 {
            bail!("scatter_add_rows: gradients without values");
        }
        let mut table = vec![0f32; self.rows * dim];
        for (row, &id) in grad.chunks_exact(dim).zip(ids) {
            if id != PADDING_ROW {
                let start = id as usize * dim;
                for (sum, value) in table[start..start + dim].iter_mut().zip(row) {
                    *sum += value;
                }
            }
        }
        Ok((CpuStorage::F32(table), Shape::from((self.rows, dim))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device, Var};

    /// The fused gather and its backward equal candle's `index_select` and its backward, padding included.
    #[test]
    fn equals_index_select() -> Result<()> {
        let device = Device::Cpu;
        for dim in [1, 3, 8, 16, 32] {
            let values: Vec<f32> = (0..7 * dim).map(|i| (i as f32 * 0.7).sin()).collect();
            let table = Var::from_tensor(&Tensor::from_vec(values, (7, dim), &device)?)?;
            let ids = Tensor::new(&[[4u32, 0, 4], [6, PADDING_ROW, 0]], &device)?;
            let slope = Tensor::arange(0f32, (6 * dim) as f32, &device)?.reshape((2, 3, dim))?;

            let fused = gather_rows(table.as_tensor(), &ids)?;
            let plain = table.index_select(&ids.flatten_all()?, 0)?.reshape((2, 3, dim))?;
            assert_eq!(fused.to_vec3::<f32>()?, plain.to_vec3::<f32>()?);

            let fused_grads = (fused * &slope)?.sum_all()?.backward()?;
            let plain_grads = (plain * &slope)?.sum_all()?.backward()?;
            let grad = |grads: &candle_core::backprop::GradStore| grads.get(&table).map(|g| g.to_vec2::<f32>());
            assert_eq!(grad(&fused_grads).transpose()?, grad(&plain_grads).transpose()?);
        }
        Ok(())
    }

    #[test]
    fn a_gathered_variable_is_its_own() -> Result<()> {
        let table = Var::from_tensor(&Tensor::arange(0f32, 6., &Device::Cpu)?.reshape((3, 2))?)?;
        let ids = Tensor::new(&[2u32, PADDING_ROW, 0], &Device::Cpu)?;
        let rows = gather_rows_as_variable(table.as_tensor(), &ids)?;
        assert_eq!(rows.to_vec2::<f32>()?, [[4., 5.], [0., 0.], [0., 1.]]);
        rows.set(&rows.zeros_like()?)?;
        assert_eq!(table.to_vec2::<f32>()?[2], [4., 5.]);
        assert!(rows.as_tensor().is_variable());
        Ok(())
    }

    #[test]
    fn repeats_stand_one_after_the_other() -> Result<()> {
        let repeated = repeat_as_variable(&Tensor::arange(0f32, 4., &Device::Cpu)?.reshape((1, 2, 2))?, 2)?;
        assert_eq!(repeated.to_vec3::<f32>()?, [[[0., 1.], [2., 3.]], [[0., 1.], [2., 3.]]]);
        Ok(())
    }

    #[test]
    fn an_id_past_the_table_is_an_error() -> Result<()> {
        let table = Tensor::zeros((2, 3), DType::F32, &Device::Cpu)?;
        let ids = Tensor::new(&[2u32], &Device::Cpu)?;
        let message = gather_rows(&table, &ids).unwrap_err().to_string();
        assert!(message.contains("row 2 is out of range"), "{message}");
        Ok(())
    }
}

//! Gradients of table rows: one per look-up, summed row by row.

use crate::RowOrder;
use crate::ops::width::{for_width, width};
use crate::ops::{self, PADDING_ROW, prefetch};
use crate::row_order::{position_of, row_of};
use crate::row_pieces::{LookedUp, RowUpdate, WriteSum, pieces_of, pieces_of_all_rows};
use candle_core::{Result, Storage, Tensor, bail};
use multiversion::multiversion;
use rayon::prelude::*;

/// What the backward says about one table: a gradient row for every look-up.
#[derive(Debug, Clone, Default)]
pub struct RowGradients {
    parts: Vec<Part>,
}

/// Look-ups that were made at once.
#[derive(Debug, Clone)]
struct Part {
    /// Any shape.
    ids: Tensor,
    /// `[ids.shape…, dim]`.
    values: Tensor,
}

impl RowGradients {
    /// Adds the gradients `values` (`[ids.shape…, dim]`) of the rows at `ids`.
    pub fn push(&mut self, ids: Tensor, values: Tensor) {
        self.parts.push(Part { ids, values });
    }

    /// The ids of every part.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &Tensor> {
        self.parts.iter().map(|part| &part.ids)
    }

    /// Adds all look-ups of `other`, after those that are here.
    pub fn append(&mut self, other: Self) {
        self.parts.extend(other.parts);
    }

    /// The gradient of a table of `rows` rows.
    ///
    /// # Errors
    /// If an id is out of range, or `order` is not that of these look-ups.
    pub fn to_dense(&self, order: &RowOrder, rows: usize) -> Result<Tensor> {
        let [first, ..] = &self.parts[..] else { bail!("gradients of no look-ups") };
        let (dim, device) = (first.values.dim(first.values.rank() - 1)?, first.values.device());
        #[cfg(feature = "cuda")]
        if device.is_cuda() {
            return order.on_cuda(self)?.sums(&self.values_by_position()?, rows);
        }
        if !ops::has_cpu_kernels(device) {
            let (sums, touched) = self.summed_plain(order)?;
            return Tensor::zeros((rows, dim), sums.dtype(), device)?.index_add(&touched, &sums, 0);
        }
        let mut table = vec![0f32; rows * dim];
        self.for_each_row(order, [(&mut table, dim)], &WriteSum)?;
        Tensor::from_vec(table, (rows, dim), device)
    }

    /// The gradients of all look-ups, one after the other, `[look-ups, dim]`.
    fn values_by_position(&self) -> Result<Tensor> {
        let of_parts = self.parts.iter().map(|part| {
            let dim = part.values.dim(part.values.rank() - 1)?;
            part.values.reshape(((), dim))
        });
        match &of_parts.collect::<Result<Vec<_>>>()?[..] {
            [only] => only.contiguous(),
            several => Tensor::cat(several, 0),
        }
    }

    /// Updates the rows that were looked up, by a kernel.
    #[cfg(feature = "cuda")]
    pub(crate) fn update_on_cuda(
        &self,
        order: &RowOrder,
        table: &Tensor,
        state: Option<&Tensor>,
        update: ops::Update,
    ) -> Result<()> {
        order.on_cuda(self)?.update(table, state, &self.values_by_position()?, update)
    }

    /// A step of plain gradient descent, in place, look-up after look-up: `row -= learning_rate * gradient`. On a CUDA device
    /// the look-ups of a row are added up first; `order` then keeps their order for the next table that is read alike.
    ///
    /// # Errors
    /// If an id is out of range or a shape does not fit.
    pub fn descend(&self, table: &Tensor, learning_rate: f64, order: &mut Option<RowOrder>) -> Result<()> {
        #[cfg(feature = "cuda")]
        if table.device().is_cuda() {
            let update = ops::Update::Sgd { learning_rate: learning_rate as f32, l2: 0.0 };
            return self.update_on_cuda(RowOrder::shared(self, order)?, table, None, update);
        }
        let _ = order;
        let (rows, dim) = table.dims2()?;
        for Part { ids, values } in &self.parts {
            if dim == 0 || values.elem_count() != ids.elem_count() * dim {
                bail!("gradients {:?} of ids {:?} do not fit a table {:?}", values.shape(), ids.shape(), table.shape());
            }
            if !ops::has_cpu_kernels(table.device()) {
                let (ids, values) = (ids.flatten_all()?, values.reshape(((), dim))?.contiguous()?);
                let steps = ops::scatter_add_rows(&(values * -learning_rate)?, &ids, rows)?;
                table.slice_set(&(table + steps)?, 0, 0)?;
                continue;
            }
            let (ids, values) = (ids.contiguous()?, values.contiguous()?);
            let ((ids, ids_layout), (values, layout)) = (ids.storage_and_layout(), values.storage_and_layout());
            let (Storage::Cpu(ids), Storage::Cpu(values)) = (&*ids, &*values) else {
                bail!("ids and gradients are on another device than their table")
            };
            let ids = ops::u32_slice("row gradients", ids, ids_layout)?;
            let values = ops::f32_slice("row gradients", values, layout)?;
            ops::check_ids("row gradients", ids, rows)?;
            ops::in_place(table, |table| {
                for_width!(dim, descend(table, ids, values, learning_rate as f32, dim));
                Ok(())
            })?;
        }
        Ok(())
    }

    /// The summed gradients of the rows that were looked up, `[touched, dim]`, and these rows, on any device.
    pub(crate) fn summed_plain(&self, order: &RowOrder) -> Result<(Tensor, Tensor)> {
        order.check(self)?;
        let Some(first) = self.parts.first() else { bail!("gradients of no look-ups") };
        let (dim, device) = (first.values.dim(first.values.rank() - 1)?, first.values.device());
        let values = self.values_by_position()?;
        // One row more takes the gradients of padding.
        let mut touched: Vec<u32> = order.entries.iter().map(|&entry| row_of(entry) as u32).collect();
        touched.dedup();
        let mut sum_of = vec![touched.len() as u32; values.dim(0)?];
        let mut sum = 0;
        for (i, &entry) in order.entries.iter().enumerate() {
            sum += u32::from(i > 0 && row_of(order.entries[i - 1]) != row_of(entry));
            sum_of[position_of(entry)] = sum;
        }
        let zeros = Tensor::zeros((touched.len() + 1, dim), values.dtype(), device)?;
        let sums = zeros.index_add(&Tensor::from_vec(sum_of, values.dim(0)?, device)?, &values, 0)?;
        let count = touched.len();
        Ok((sums.narrow(0, 0, count)?.contiguous()?, Tensor::from_vec(touched, count, device)?))
    }

    /// Applies `update` once to every row that was looked up, with the row's values in each of `tensors`, which come with their
    /// number of values per row. On the CPU only.
    ///
    /// The look-ups of a row are added in the order in which they were pushed. Pieces of the order share no row and run in
    /// parallel, so the number of threads changes nothing.
    pub(crate) fn for_each_row<const TENSORS: usize>(
        &self,
        order: &RowOrder,
        tensors: [(&mut [f32], usize); TENSORS],
        update: &impl RowUpdate<TENSORS>,
    ) -> Result<()> {
        self.with_looked_up(order, tensors, |grads, entries, tensors| {
            let pieces = if entries.len() * grads.dim < PARALLEL_VALUES { 1 } else { PIECES };
            // Of the whole tensors, since a piece of them lies no nearer.
            let far = tensors.iter().any(|(values, _)| prefetch::pays(values));
            let pieces = pieces_of(entries, pieces, tensors);
            pieces.into_par_iter().for_each(|piece| for_width!(grads.dim, piece.run(&grads, far, update)));
        })
    }

    /// The same for every row of the table: the gradient of one that was not looked up is zero.
    pub(crate) fn for_all_rows<const TENSORS: usize>(
        &self,
        order: &RowOrder,
        tensors: [(&mut [f32], usize); TENSORS],
        update: &impl RowUpdate<TENSORS>,
    ) -> Result<()> {
        self.with_looked_up(order, tensors, |grads, entries, tensors| {
            let values = tensors[0].0.len().max(entries.len() * grads.dim);
            let pieces = if values < PARALLEL_VALUES { 1 } else { PIECES_OF_ALL_ROWS };
            let pieces = pieces_of_all_rows(entries, pieces, tensors);
            pieces.into_par_iter().for_each(|piece| for_width!(grads.dim, piece.run_all_rows(&grads, update)));
        })
    }

    /// Calls `work` with the gradients of all look-ups, the entries of their order and the tensors, of fitting sizes.
    fn with_looked_up<'t, const TENSORS: usize>(
        &self,
        order: &RowOrder,
        tensors: [(&'t mut [f32], usize); TENSORS],
        work: impl FnOnce(LookedUp, &[u64], [(&'t mut [f32], usize); TENSORS]),
    ) -> Result<()> {
        order.check(self)?;
        if self.parts.is_empty() {
            bail!("gradients of no look-ups");
        }
        let parts = self.parts.iter().map(|part| part.values.contiguous()).collect::<Result<Vec<_>>>()?;
        let storages: Vec<_> = parts.iter().map(|values| values.storage_and_layout()).collect();
        let slices = storages.iter().map(|(storage, layout)| match &**storage {
            Storage::Cpu(storage) => ops::f32_slice("row gradients", storage, layout),
            _ => bail!("row gradients are summed on the CPU"),
        });
        let slices = slices.collect::<Result<Vec<_>>>()?;
        let grads = LookedUp { slices: &slices, starts: &order.starts, dim: self.dim(order)? };
        let rows = tensors[0].0.len() / tensors[0].1.max(1);
        if tensors[0].1 != grads.dim || tensors.iter().any(|(values, row_len)| values.len() != rows * row_len) {
            let shapes = tensors.map(|(values, row_len)| (values.len(), row_len));
            bail!("gradients of {} values a row do not fit tensors of (values, values a row) {shapes:?}", grads.dim);
        }
        if let Some(&last) = order.entries.last()
            && row_of(last) >= rows
        {
            bail!("row {} is out of range for a table of {rows} rows", row_of(last));
        }
        work(grads, &order.entries, tensors);
        Ok(())
    }

    fn dim(&self, order: &RowOrder) -> Result<usize> {
        let dim = self.parts.first().map_or(Ok(0), |part| part.values.dim(part.values.rank() - 1))?;
        for (part, window) in self.parts.iter().zip(order.starts.windows(2)) {
            if part.values.elem_count() != (window[1] - window[0]) * dim {
                bail!("gradients {:?} do not fit ids {:?}", part.values.shape(), part.ids.shape());
            }
        }
        Ok(dim)
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn descend<const WIDTH: usize>(table: &mut [f32], ids: &[u32], values: &[f32], learning_rate: f32, dim: usize) {
    let dim = width::<WIDTH>(dim);
    for (&id, values) in ids.iter().zip(values.chunks_exact(dim)) {
        if id == PADDING_ROW {
            continue;
        }
        let row = &mut table[id as usize * dim..][..dim];
        for (value, grad) in row.iter_mut().zip(values) {
            *value -= learning_rate * grad;
        }
    }
}

/// Values from which on pieces are summed in parallel, and how many pieces.
const PARALLEL_VALUES: usize = 1 << 14;
const PIECES: usize = 8;
/// Pieces of a table whose rows all move: more, since some have most of the look-ups.
const PIECES_OF_ALL_ROWS: usize = 32;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use candle_core::Device;

    /// Enough look-ups for pieces, of few rows and of many; parts of different sizes; padding.
    pub(crate) fn example(rows: u32, dim: usize) -> Result<RowGradients> {
        let mut gradients = RowGradients::default();
        for (part, count) in [4_000u32, 1, 14_000].into_iter().enumerate() {
            let id = |i: u32| if i % 11 == 10 { PADDING_ROW } else { (i * 7919 + part as u32) % rows };
            let ids: Vec<u32> = (0..count).map(id).collect();
            let (count, phase) = (count as usize, 17 * part);
            let values: Vec<f32> = (0..count * dim).map(|i| ((i + phase) as f32 * 0.7).sin()).collect();
            gradients.push(
                Tensor::from_vec(ids, (1, count), &Device::Cpu)?,
                Tensor::from_vec(values, (1, count, dim), &Device::Cpu)?,
            );
        }
        Ok(gradients)
    }

    #[test]
    fn sums_are_those_of_a_scatter() -> Result<()> {
        for (rows, dim) in [(3, 3), (997, 1), (997, 8), (10_000, 16), (997, 32), (10_000, 3)] {
            let gradients = example(rows, dim)?;
            let order = RowOrder::new(&gradients)?;
            let flat = |of: fn(&Part) -> &Tensor| {
                let parts = gradients.parts.iter().map(|part| of(part).squeeze(0)).collect::<Result<Vec<_>>>()?;
                Tensor::cat(&parts, 0)
            };
            let (ids, values) = (flat(|part| &part.ids)?, flat(|part| &part.values)?);
            let expected = ops::scatter_add_rows(&values, &ids, rows as usize)?.to_vec2::<f32>()?;
            assert_eq!(gradients.to_dense(&order, rows as usize)?.to_vec2::<f32>()?, expected);
            let (sums, touched) = gradients.summed_plain(&order)?;
            let touched = touched.to_vec1::<u32>()?;
            assert!(touched.is_sorted_by(|a, b| a < b));
            for (sum, row) in sums.to_vec2::<f32>()?.iter().zip(touched) {
                assert_eq!(sum, &expected[row as usize]);
            }
        }
        Ok(())
    }

    #[test]
    fn descent_goes_against_the_summed_gradient() -> Result<()> {
        for dim in [1, 3, 8, 16, 32] {
            let gradients = example(997, dim)?;
            let expected = (gradients.to_dense(&RowOrder::new(&gradients)?, 997)? * -0.1)?;
            let table = Tensor::zeros((997, dim), candle_core::DType::F32, &Device::Cpu)?;
            gradients.descend(&table, 0.1, &mut None)?;
            assert!(ops::largest_difference(&table, &expected)? < 1e-5);
            assert!(
                gradients
                    .descend(&table.narrow(0, 0, 9)?, 0.1, &mut None)
                    .unwrap_err()
                    .to_string()
                    .contains("out of range")
            );
            let wider = Tensor::zeros((997, dim + 1), candle_core::DType::F32, &Device::Cpu)?;
            assert!(gradients.descend(&wider, 0.1, &mut None).unwrap_err().to_string().contains("do not fit"));
        }
        Ok(())
    }

    #[test]
    fn an_id_past_the_table_a_wrong_width_and_a_foreign_order_are_errors() -> Result<()> {
        let (gradients, other) = (example(10, 3)?, example(10, 3)?);
        let order = RowOrder::new(&gradients)?;
        let message = gradients.to_dense(&order, 9).unwrap_err().to_string();
        assert!(message.contains("row 9 is out of range for a table of 9 rows"), "{message}");
        let message = other.to_dense(&order, 10).unwrap_err().to_string();
        assert!(message.contains("the order of other look-ups"), "{message}");
        let message = gradients.for_each_row(&order, [(&mut [0.0; 40], 4)], &WriteSum).unwrap_err().to_string();
        assert!(message.contains("do not fit"), "{message}");
        Ok(())
    }
}

//! The sum of one number per field.

use super::prefetch::{self, ROWS_AHEAD, prefetch};
use super::{check_ids, f32_slice, gather_rows, has_cpu_kernels, precomputed, u32_slice};
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Storage, Tensor, bail};

/// `[R, B, F, 1]` to `[R, B]`.
///
/// # Errors
/// If the input is not of this shape.
pub(crate) fn sum_fields(values: &Tensor) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if values.device().is_cuda() && !values.track_op() {
        return crate::cuda::sum_fields(&values.contiguous()?);
    }
    if !has_cpu_kernels(values.device()) {
        return values.squeeze(3)?.sum(2);
    }
    // One after the other, as `sum_of_rows` adds; candle's sum has another order on every kind of processor.
    let values = values.contiguous()?;
    let (replicas, batch, fields) = match *values.dims() {
        [replicas, batch, fields, 1] => (replicas, batch, fields),
        _ => bail!("sum_fields: {:?} has not one number per field", values.shape()),
    };
    let sums = {
        let (storage, layout) = values.storage_and_layout();
        let Storage::Cpu(storage) = &*storage else { bail!("sum_fields: the values are not where their device is") };
        let values = f32_slice("sum_fields", storage, layout)?;
        (0..replicas * batch).map(|sample| values[sample * fields..][..fields].iter().sum()).collect::<Vec<f32>>()
    };
    let sums = Tensor::from_vec(sums, (replicas, batch), values.device())?;
    if !values.track_op() {
        return Ok(sums);
    }
    precomputed(&values, sums, Box::new(move |grad| repeat_fields(grad, fields).map(Some)))
}

/// For every sample the sum of its rows in a table of one column, `[rows, 1]` at `[R, B, F]` to `[R, B]`, out of the graph.
/// [`crate::PADDING_ROW`] adds nothing.
///
/// # Errors
/// If the table has more columns or an id is out of range.
pub(crate) fn sum_of_rows(table: &Tensor, ids: &Tensor) -> Result<Tensor> {
    if has_cpu_kernels(table.device()) {
        table.contiguous()?.apply_op2_no_bwd(&ids.contiguous()?, &SumOfRows)
    } else {
        sum_fields(&gather_rows(table, ids)?)
    }
}

struct SumOfRows;

impl CustomOp2 for SumOfRows {
    fn name(&self) -> &'static str {
        "sum_of_rows"
    }

    fn cpu_fwd(
        &self,
        table: &CpuStorage,
        table_layout: &Layout,
        ids: &CpuStorage,
        ids_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (replicas, batch, fields) = ids_layout.shape().dims3()?;
        let rows = match *table_layout.dims() {
            [rows, 1] => rows,
            _ => bail!("sum_of_rows: a table {:?} has not one column", table_layout.shape()),
        };
        let table = f32_slice(self.name(), table, table_layout)?;
        let ids = u32_slice(self.name(), ids, ids_layout)?;
        check_ids(self.name(), ids, rows)?;
        let mut sums = Vec::with_capacity(replicas * batch);
        let ahead = if prefetch::pays(table) { ROWS_AHEAD } else { ids.len() };
        let soon = ids.get(ahead..).unwrap_or_default();
        for sample in 0..replicas * batch {
            let own = sample * fields..(sample + 1) * fields;
            for &next in soon.get(own.clone()).unwrap_or_default() {
                prefetch(table, next as usize, 1);
            }
            let mut sum = 0.0;
            for &id in &ids[own] {
                sum += table.get(id as usize).copied().unwrap_or(0.0);
            }
            sums.push(sum);
        }
        Ok((CpuStorage::F32(sums), Shape::from((replicas, batch))))
    }
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
    use crate::PADDING_ROW;
    use crate::ops::{largest_difference, wave};
    use candle_core::{Device, Var};

    /// Few fields and more than a vector holds, in a table that is worth asking for early and in one that is not; the values
    /// are those of the sum of what is gathered, and candle's sum is near.
    #[test]
    fn sums_what_is_gathered() -> Result<()> {
        for (rows, fields) in [(7usize, 6), (7, 33), (1 << 18, 6), (1 << 18, 40)] {
            let table = wave(&[rows, 1], 0.7)?;
            let id = |i: usize| if i % 5 == 4 { PADDING_ROW } else { (i * 7919 % rows) as u32 };
            let ids = Tensor::from_iter((0..2 * 9 * fields).map(id), &Device::Cpu)?.reshape((2, 9, fields))?;
            let gathered = gather_rows(&table, &ids)?;
            let sums = sum_of_rows(&table, &ids)?;
            assert_eq!(sums.to_vec2::<f32>()?, sum_fields(&gathered)?.to_vec2::<f32>()?);
            assert!(largest_difference(&sums, &gathered.squeeze(3)?.sum(2)?)? < 1e-5);
            let beyond = Tensor::full(rows as u32, (1, 1, 1), &Device::Cpu)?;
            assert!(sum_of_rows(&table, &beyond).is_err());
        }
        Ok(())
    }

    #[test]
    fn the_gradient_reaches_every_field() -> Result<()> {
        let values = Var::from_tensor(&wave(&[2, 3, 4, 1], 0.3)?)?;
        let slope = wave(&[2, 3], 1.1)?;
        let grad = |sums: Tensor| -> Result<Vec<f32>> {
            let grads = (sums * &slope)?.sum_all()?.backward()?;
            grads.get(&values).expect("a gradient").flatten_all()?.to_vec1()
        };
        assert_eq!(grad(sum_fields(&values)?)?, grad(values.squeeze(3)?.sum(2)?)?);
        assert!(sum_fields(&wave(&[2, 3, 4, 2], 0.3)?).is_err(), "two numbers per field");
        Ok(())
    }

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

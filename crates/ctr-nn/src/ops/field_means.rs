//! From one embedding per look-up to one per field: the mean of a field's values.

use super::{f32_slice, has_cpu_kernels};
use crate::FieldMeans;
#[cfg(feature = "cuda")]
use crate::cuda;
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

/// Embeddings of look-ups, `[R, B, look-ups, D]`, to those of fields, `[R, B, fields, D]`; a field without any value is zero.
///
/// # Errors
/// If the shapes do not fit.
pub(crate) fn field_means(lookups: &Tensor, means: &FieldMeans) -> Result<Tensor> {
    if has_cpu_kernels(lookups.device()) {
        let op = Means { by_field: means.slots.by_field().to_vec() };
        return lookups.contiguous()?.apply_op2(&means.weights.contiguous()?, op);
    }
    #[cfg(feature = "cuda")]
    if lookups.device().is_cuda() {
        let of_fields = cuda::field_means(&lookups.detach().contiguous()?, means)?;
        if !lookups.track_op() {
            return Ok(of_fields);
        }
        let means = means.clone();
        let to_lookups = move |grad: &Tensor| cuda::field_means_grad(grad, &means).map(Some);
        return super::precomputed(&lookups.contiguous()?, of_fields, Box::new(to_lookups));
    }
    plain(lookups, means)
}

/// The gradient of every look-up from that of its field, `[R, B, fields, D]` to `[R, B, look-ups, D]`.
///
/// # Errors
/// If the shapes do not fit.
pub(crate) fn field_means_grad(grad: &Tensor, means: &FieldMeans) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if grad.device().is_cuda() {
        return cuda::field_means_grad(&grad.contiguous()?, means);
    }
    let op = MeansGrad { by_field: means.slots.by_field().to_vec() };
    grad.contiguous()?.apply_op2_no_bwd(&means.weights.contiguous()?, &op)
}

fn plain(lookups: &Tensor, means: &FieldMeans) -> Result<Tensor> {
    let weighted = lookups.broadcast_mul(&means.weights.unsqueeze(3)?)?;
    let mut start = 0;
    let field = |slots: &usize| {
        let sum = weighted.narrow(2, start, *slots)?.sum_keepdim(2);
        start += slots;
        sum
    };
    Tensor::cat(&means.slots.by_field().iter().map(field).collect::<Result<Vec<_>>>()?, 2)
}

struct Means {
    by_field: Vec<usize>,
}

impl CustomOp2 for Means {
    fn name(&self) -> &'static str {
        "field_means"
    }

    fn cpu_fwd(
        &self,
        lookups: &CpuStorage,
        lookups_layout: &Layout,
        weights: &CpuStorage,
        weights_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (replicas, samples, count, dim) = lookups_layout.shape().dims4()?;
        if weights_layout.dims() != [replicas, samples, count] || self.by_field.iter().sum::<usize>() != count {
            bail!("field_means: {:?} and {:?} do not fit", lookups_layout.shape(), weights_layout.shape());
        }
        let lookups = f32_slice(self.name(), lookups, lookups_layout)?;
        let weights = f32_slice(self.name(), weights, weights_layout)?;
        let fields = self.by_field.len();
        let mut out = Vec::with_capacity(replicas * samples * fields * dim);
        let (mut rows, mut weights) = (lookups.chunks_exact(dim), weights.iter());
        for _ in 0..replicas * samples {
            for &slots in &self.by_field {
                let start = out.len();
                for (at, (row, &weight)) in rows.by_ref().zip(weights.by_ref()).take(slots).enumerate() {
                    if at == 0 {
                        out.extend(row.iter().map(|value| weight * value));
                    } else if weight != 0.0 {
                        out[start..].iter_mut().zip(row).for_each(|(sum, value)| *sum += weight * value);
                    }
                }
            }
        }
        Ok((CpuStorage::F32(out), Shape::from((replicas, samples, fields, dim))))
    }

    fn bwd(&self, _: &Tensor, weights: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let op = MeansGrad { by_field: self.by_field.clone() };
        Ok((Some(grad.contiguous()?.apply_op2_no_bwd(weights, &op)?), None))
    }
}

struct MeansGrad {
    by_field: Vec<usize>,
}

impl CustomOp2 for MeansGrad {
    fn name(&self) -> &'static str {
        "field_means_grad"
    }

    fn cpu_fwd(
        &self,
        grad: &CpuStorage,
        grad_layout: &Layout,
        weights: &CpuStorage,
        weights_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (replicas, samples, count) = weights_layout.shape().dims3()?;
        let dim = grad_layout.shape().dims4()?.3;
        if grad_layout.dims() != [replicas, samples, self.by_field.len(), dim] {
            bail!("field_means_grad: {:?} and {:?} do not fit", grad_layout.shape(), weights_layout.shape());
        }
        let grad = f32_slice(self.name(), grad, grad_layout)?;
        let weights = f32_slice(self.name(), weights, weights_layout)?;
        let mut out = Vec::with_capacity(weights.len() * dim);
        let mut weights = weights.iter();
        for (grad, slots) in grad.chunks_exact(dim).zip(self.by_field.iter().cycle()) {
            for weight in weights.by_ref().take(*slots) {
                out.extend(grad.iter().map(|value| weight * value));
            }
        }
        Ok((CpuStorage::F32(out), Shape::from((replicas, samples, count, dim))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{largest_difference, wave};
    use crate::{Batch, BatchLayout, FieldSlots, PADDING_ROW};
    use candle_core::{Device, Var};

    #[test]
    fn equals_its_plain_twin() -> Result<()> {
        let layout = BatchLayout { replicas: 2, slots: FieldSlots::new(&[2, 1, 3]), history_length: 0 };
        let pad = PADDING_ROW;
        let ids = [[0, 1, 2, 3, 4, 5], [0, pad, 2, 3, pad, pad], [pad; 6], [1, 0, 2, 5, 4, pad]].concat();
        let means = Batch::new(ids, Vec::new(), &layout, &Device::Cpu)?.means.expect("fields with several values");
        let lookups = Var::from_tensor(&wave(&[2, 2, 6, 4], 0.7)?)?;
        let slope = wave(&[2, 2, 3, 4], 0.3)?;
        let (fused, plain) = (field_means(&lookups, &means)?, plain(&lookups, &means)?);
        assert!(largest_difference(&fused, &plain)? < 1e-6);
        let grad = |value: Tensor| -> Result<Tensor> {
            Ok((value * &slope)?.sum_all()?.backward()?.get(&lookups).expect("a gradient").clone())
        };
        let expected = grad(plain)?;
        assert!(largest_difference(&grad(fused)?, &expected)? < 1e-6);
        assert!(largest_difference(&field_means_grad(&slope, &means)?, &expected)? < 1e-6);
        Ok(())
    }
}

//! The loss, the pairwise term of factorization machines, and the means of fields with several values.

use super::ffi;
use super::memory::{check, device_of, empty, pointer, stream_of};
use crate::FieldMeans;
use candle_core::{Result, Tensor, bail};

/// Samples whose losses one block adds up.
const SLICE_LEN: usize = 2048;

/// Weighted binary cross-entropy of logits, `[R, B]` each, to `[R]`.
///
/// # Errors
/// If the shapes differ.
pub(crate) fn bce(logits: &Tensor, targets: &Tensor, weights: &Tensor) -> Result<Tensor> {
    let (replicas, batch) = same_shape(logits, &[targets, weights])?;
    let device = device_of(logits)?;
    let slices = batch.div_ceil(SLICE_LEN);
    let (out, losses) = empty::<f32>(&device, (replicas, slices))?;
    let (logits, targets, weights) = (pointer::<f32>(logits)?, pointer::<f32>(targets)?, pointer::<f32>(weights)?);
    let stream = stream_of(&device)?;
    // SAFETY: the sizes are those of the tensors that the pointers belong to.
    let code = unsafe {
        ffi::ctr_bce(logits, targets, weights, losses, replicas as u32, batch as u32, SLICE_LEN as u32, stream)
    };
    check("bce_with_logits", code)?;
    if slices == 1 { out.squeeze(1) } else { out.sum(1) }
}

/// Its gradient at the logits, `[R, B]`, given that of the result, `[R]`.
///
/// # Errors
/// If the shapes do not fit.
pub(crate) fn bce_grad(logits: &Tensor, targets: &Tensor, weights: &Tensor, grad: &Tensor) -> Result<Tensor> {
    let (replicas, batch) = same_shape(logits, &[targets, weights])?;
    if grad.elem_count() != replicas {
        bail!("gradients {:?} of {replicas} losses", grad.shape());
    }
    let device = device_of(logits)?;
    let (out, values) = empty::<f32>(&device, (replicas, batch))?;
    let (logits, targets, weights) = (pointer::<f32>(logits)?, pointer::<f32>(targets)?, pointer::<f32>(weights)?);
    let (grad, stream) = (pointer::<f32>(grad)?, stream_of(&device)?);
    // SAFETY: as above.
    let code =
        unsafe { ffi::ctr_bce_grad(logits, targets, weights, grad, values, replicas as u32, batch as u32, stream) };
    check("bce_with_logits's gradient", code)?;
    Ok(out)
}

fn same_shape(first: &Tensor, others: &[&Tensor]) -> Result<(usize, usize)> {
    if let Some(other) = others.iter().find(|other| other.dims() != first.dims()) {
        bail!("{:?} does not fit {:?}", other.shape(), first.shape());
    }
    first.dims2()
}

/// The pairwise term of embeddings `[R, B, F, D]`, `[R, B]`.
///
/// # Errors
/// If the input is not of rank 4.
pub(crate) fn fm_pairs(embeddings: &Tensor) -> Result<Tensor> {
    let (replicas, batch, fields, dim) = embeddings.dims4()?;
    let device = device_of(embeddings)?;
    let (out, terms) = empty::<f32>(&device, (replicas, batch))?;
    let (v, stream) = (pointer::<f32>(embeddings)?, stream_of(&device)?);
    // SAFETY: the sizes are those of the tensors that the pointers belong to.
    let code = unsafe { ffi::ctr_fm_pairs(v, terms, replicas * batch, fields as u32, dim as u32, stream) };
    check("fm_interaction", code)?;
    Ok(out)
}

/// Its gradient at the embeddings, given that of the result, `[R, B]`: added to `sum`, or in a tensor of its own.
///
/// # Errors
/// If the shapes do not fit.
pub(crate) fn fm_pairs_grad(embeddings: &Tensor, grad: &Tensor, sum: Option<&Tensor>) -> Result<Tensor> {
    let (replicas, batch, fields, dim) = embeddings.dims4()?;
    if grad.elem_count() != replicas * batch || sum.is_some_and(|sum| sum.elem_count() != embeddings.elem_count()) {
        bail!("a gradient {:?} does not fit {:?}", grad.shape(), embeddings.shape());
    }
    let device = device_of(embeddings)?;
    let (out, values) = match sum {
        Some(sum) => (sum.clone(), pointer::<f32>(sum)?),
        None => empty::<f32>(&device, embeddings.shape().clone())?,
    };
    let (v, grad, stream) = (pointer::<f32>(embeddings)?, pointer::<f32>(grad)?, stream_of(&device)?);
    let added = i32::from(sum.is_some());
    // SAFETY: as above.
    let code =
        unsafe { ffi::ctr_fm_pairs_grad(v, grad, values, replicas * batch, fields as u32, dim as u32, added, stream) };
    check("fm_interaction's gradient", code)?;
    Ok(out)
}

/// Sums over the fields, `[R, B, F, 1]` to `[R, B]`.
///
/// # Errors
/// If the input is not of this shape.
pub(crate) fn sum_fields(values: &Tensor) -> Result<Tensor> {
    let (replicas, batch, fields, dim) = values.dims4()?;
    if dim != 1 {
        bail!("a sum over fields of {dim} columns");
    }
    let device = device_of(values)?;
    let (out, sums) = empty::<f32>(&device, (replicas, batch))?;
    let (values, stream) = (pointer::<f32>(values)?, stream_of(&device)?);
    // SAFETY: the sizes are those of the tensors that the pointers belong to.
    check("sum over fields", unsafe { ffi::ctr_sum_fields(values, sums, replicas * batch, fields as u32, 1, stream) })?;
    Ok(out)
}

/// The gradient of [`sum_fields`]: `[R, B]` to `[R, B, F, 1]`.
///
/// # Errors
/// If the input is not of this shape.
pub(crate) fn repeat_fields(of_samples: &Tensor, fields: usize) -> Result<Tensor> {
    let (replicas, batch) = of_samples.dims2()?;
    let device = device_of(of_samples)?;
    let (out, values) = empty::<f32>(&device, (replicas, batch, fields, 1))?;
    let (of_samples, stream) = (pointer::<f32>(of_samples)?, stream_of(&device)?);
    // SAFETY: as above.
    check("sum over fields", unsafe {
        ffi::ctr_repeat_fields(of_samples, values, replicas * batch, fields as u32, 1, stream)
    })?;
    Ok(out)
}

/// Embeddings of look-ups, `[R, B, look-ups, D]`, to those of fields.
///
/// # Errors
/// If the shapes do not fit.
pub(crate) fn field_means(lookups: &Tensor, means: &FieldMeans) -> Result<Tensor> {
    let (replicas, batch, slots, dim) = lookups.dims4()?;
    let fields = means.slots.fields();
    if means.weights.dims() != [replicas, batch, slots] || means.slots.total() != slots {
        bail!("field_means: {:?} and {:?} do not fit", lookups.shape(), means.weights.shape());
    }
    let mut starts = vec![0u32];
    for slots in means.slots.by_field() {
        starts.push(starts[starts.len() - 1] + *slots as u32);
    }
    let starts = Tensor::new(starts, lookups.device())?;
    let device = device_of(lookups)?;
    let (out, values) = empty::<f32>(&device, (replicas, batch, fields, dim))?;
    let (lookups, weights) = (pointer::<f32>(lookups)?, pointer::<f32>(&means.weights)?);
    let (starts, stream) = (pointer::<u32>(&starts)?, stream_of(&device)?);
    let samples = replicas * batch;
    // SAFETY: the sizes are those of the tensors that the pointers belong to.
    let code = unsafe {
        ffi::ctr_field_means(lookups, weights, starts, values, samples, fields as u32, slots as u32, dim as u32, stream)
    };
    check("field_means", code)?;
    Ok(out)
}

/// The gradient of every look-up, `[R, B, look-ups, D]`, from that of its field.
///
/// # Errors
/// If the shapes do not fit.
pub(crate) fn field_means_grad(grad: &Tensor, means: &FieldMeans) -> Result<Tensor> {
    let (replicas, batch, fields, dim) = grad.dims4()?;
    let slots = means.slots.total();
    if means.weights.dims() != [replicas, batch, slots] || means.slots.fields() != fields {
        bail!("field_means_grad: {:?} and {:?} do not fit", grad.shape(), means.weights.shape());
    }
    let by_field = means.slots.by_field().iter().enumerate();
    let field_of: Vec<u32> = by_field.flat_map(|(field, &slots)| vec![field as u32; slots]).collect();
    let field_of = Tensor::new(field_of, grad.device())?;
    let device = device_of(grad)?;
    let (out, values) = empty::<f32>(&device, (replicas, batch, slots, dim))?;
    let (grad, weights) = (pointer::<f32>(grad)?, pointer::<f32>(&means.weights)?);
    let (field_of, stream) = (pointer::<u32>(&field_of)?, stream_of(&device)?);
    let samples = replicas * batch;
    // SAFETY: as above.
    let code = unsafe {
        ffi::ctr_field_means_grad(
            grad,
            weights,
            field_of,
            values,
            samples,
            fields as u32,
            slots as u32,
            dim as u32,
            stream,
        )
    };
    check("field_means_grad", code)?;
    Ok(out)
}

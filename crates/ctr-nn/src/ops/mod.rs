//! Fused tensor operations.
//!
//! candle has each of these as a chain of allocating passes. On the CPU one pass does, and on a CUDA device one kernel where `cuda/`
//! has it; elsewhere the chain of plain candle operations is what runs. Operations in place have no
//! such chain, and their callers see to it. Every fused operation is tested against its plain twin.

mod affine;
mod bce_with_logits;
mod bias_activation;
mod column;
mod descend;
mod dice;
mod field_means;
mod fm_interaction;
mod gather_rows;
mod in_place;
mod input_gradient;
mod interact_keys;
#[cfg(target_arch = "x86_64")]
mod kernels;
mod optimizer_update;
mod precomputed;
pub(crate) mod prefetch;
mod prelu;
mod product;
mod rounded;
mod rows;
mod sigmoid;
mod standardize;
mod sum_fields;
mod vector_cross;
mod weighted_sum;
pub(crate) mod width;

pub use affine::affine;
pub use bce_with_logits::{bce_backward, bce_with_logits};
pub use bias_activation::{bias_add, bias_relu};
pub(crate) use bias_activation::{mask_positive, sum_to_bias};
pub(crate) use descend::{descend, descend_by, descend_by_row_sums};
pub(crate) use dice::dice;
pub(crate) use field_means::{field_means, field_means_grad};
pub use fm_interaction::{add_fm_interaction_grad, fm_interaction, fm_interaction_grad};
pub use gather_rows::{PADDING_ROW, gather_rows_as_variable, repeat_as_variable};
pub(crate) use gather_rows::{check_ids, gather_rows, scatter_add_rows};
pub(crate) use in_place::in_place;
pub(crate) use input_gradient::{input_gradient, weight_gradient};
pub use interact_keys::interact_keys;
pub(crate) use optimizer_update::Update;
pub use precomputed::Backward;
pub(crate) use precomputed::{over_gathered_rows, precomputed};
pub(crate) use prelu::{prelu, prelu_backward};
pub use rounded::dense_matmul;
pub use rows::Rows;
pub(crate) use sigmoid::sigmoid;
pub(crate) use standardize::{moments, standardize};
pub(crate) use sum_fields::{repeat_fields, sum_fields, sum_of_rows};
pub use vector_cross::{CrossGradients, Crossed, VectorCross};
pub use weighted_sum::weighted_sum;

use candle_core::{CpuStorage, Device, Layout, Result, bail};
use std::sync::OnceLock;

/// Whether layers and look-ups may be nodes of their own here: the CPU and, if compiled in, CUDA have what these nodes are made of.
pub(crate) fn has_kernels(device: &Device) -> bool {
    has_cpu_kernels(device) || (cfg!(feature = "cuda") && device.is_cuda())
}

/// Whether this is the CPU and its fused operations may run. With `CTRBENCH_PLAIN_OPS=1` in the environment they may not: then the
/// CPU runs the chains of plain candle operations that Metal runs, so that these can be tested anywhere.
pub fn has_cpu_kernels(device: &Device) -> bool {
    static PLAIN: OnceLock<bool> = OnceLock::new();
    device.is_cpu() && !*PLAIN.get_or_init(|| std::env::var_os("CTRBENCH_PLAIN_OPS").is_some_and(|value| value == "1"))
}

/// The contiguous `f32` values behind a CPU storage.
pub(crate) fn f32_slice<'a>(op: &str, storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match (storage.as_slice::<f32>(), layout.contiguous_offsets()) {
        (Ok(values), Some((start, end))) => Ok(&values[start..end]),
        (Err(error), _) => Err(error),
        (_, None) => bail!("{op} needs a contiguous tensor"),
    }
}

/// The contiguous `u32` values behind a CPU storage.
pub(crate) fn u32_slice<'a>(op: &str, storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [u32]> {
    match (storage.as_slice::<u32>(), layout.contiguous_offsets()) {
        (Ok(values), Some((start, end))) => Ok(&values[start..end]),
        (Err(error), _) => Err(error),
        (_, None) => bail!("{op} needs contiguous ids"),
    }
}

/// The contiguous `f32` values of a tensor that is updated in place.
fn f32_slice_mut<'a>(op: &str, storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&mut values[start..end]),
        (_, None) => bail!("{op} needs a contiguous tensor"),
        _ => bail!("{op} works on f32 tensors"),
    }
}

/// For the tests that hold a fused operation against its plain twin: values that differ, of either sign.
#[cfg(test)]
pub(crate) fn wave(shape: &[usize], pace: f32) -> Result<candle_core::Tensor> {
    let values: Vec<f32> = (0..shape.iter().product()).map(|i: usize| (i as f32 * pace).sin()).collect();
    candle_core::Tensor::from_vec(values, shape, &candle_core::Device::Cpu)
}

/// For the same tests.
#[cfg(test)]
pub(crate) fn largest_difference(a: &candle_core::Tensor, b: &candle_core::Tensor) -> Result<f32> {
    (a - b)?.abs()?.flatten_all()?.max(0)?.to_scalar()
}

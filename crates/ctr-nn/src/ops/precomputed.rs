//! A value computed outside candle's graph, put into it together with its own backward.
//!
//! candle's backward adds every gradient to a fresh zero tensor: two passes beyond the gradient itself, for every
//! argument of every node. A chain of layers that is one node pays that once, for the chain's input.

use super::{f32_slice, gather_rows, has_kernels, scatter_add_rows};
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Storage, Tensor, bail};

/// From the gradient of a value to the gradient of what it was computed from.
pub type Backward = Box<dyn Fn(&Tensor) -> Result<Tensor> + Send + Sync>;

/// A backward that may keep the gradient of the node's input to itself.
type NodeBackward = Box<dyn Fn(&Tensor) -> Result<Option<Tensor>> + Send + Sync>;

/// `value`, computed from `input` without a graph, as a node of the graph whose gradient reaches `input` through
/// `backward`. Where [`super::has_kernels`]; `input` must be contiguous.
///
/// # Errors
/// If `value` is not contiguous.
pub(crate) fn precomputed(input: &Tensor, value: Tensor, backward: NodeBackward) -> Result<Tensor> {
    input.apply_op1(Precomputed { value, backward })
}

/// What `compute` makes of the rows of `table` (`[rows, dim]`) at `ids` (any shape), as one node: the gathered rows are no
/// node of their own. `compute` gets them without a graph, `[ids.shape…, dim]`, and returns a value with its backward.
///
/// Nothing where `table` has no gradient or not [`super::has_kernels`].
///
/// # Errors
/// If an id is out of range or `compute` fails.
pub(crate) fn over_gathered_rows(
    table: &Tensor,
    ids: &Tensor,
    compute: impl FnOnce(&Tensor) -> Result<(Tensor, Backward)>,
) -> Result<Option<Tensor>> {
    if !table.track_op() || !has_kernels(table.device()) {
        return Ok(None);
    }
    let (rows, dim) = table.dims2()?;
    let (value, backward) = compute(&gather_rows(&table.detach(), ids)?)?;
    let ids = ids.flatten_all()?;
    let to_table = move |grad: &Tensor| scatter_add_rows(&backward(grad)?.reshape(((), dim))?, &ids, rows).map(Some);
    precomputed(table, value, Box::new(to_table)).map(Some)
}

struct Precomputed {
    value: Tensor,
    backward: NodeBackward,
}

impl CustomOp1 for Precomputed {
    fn name(&self) -> &'static str {
        "precomputed"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        on_cpu(self.name(), &self.value)
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, _: &candle_core::CudaStorage, _: &Layout) -> Result<(candle_core::CudaStorage, Shape)> {
        on_cuda(self.name(), &self.value)
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        (self.backward)(&grad.contiguous()?)
    }
}

/// A copy of `value` as the result of a node on the CPU.
pub(super) fn on_cpu(node: &str, value: &Tensor) -> Result<(CpuStorage, Shape)> {
    let (storage, layout) = value.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => {
            Ok((CpuStorage::F32(f32_slice(node, storage, layout)?.to_vec()), value.shape().clone()))
        }
        _ => bail!("{node} works on the CPU"),
    }
}

/// The same on a CUDA device.
#[cfg(feature = "cuda")]
pub(super) fn on_cuda(node: &str, value: &Tensor) -> Result<(candle_core::CudaStorage, Shape)> {
    use candle_core::backend::BackendStorage;
    let (storage, layout) = value.storage_and_layout();
    match &*storage {
        Storage::Cuda(storage) if layout.is_contiguous() => Ok((storage.try_clone(layout)?, layout.shape().clone())),
        _ => bail!("{node} needs a contiguous value on the device of its input"),
    }
}

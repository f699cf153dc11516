//! A value computed outside candle's graph, put into it together with its own backward.
//!
//! candle's backward adds every gradient to a fresh zero tensor: two passes beyond the gradient itself, for every
//! argument of every node. A chain of layers that is one node pays that once, for the chain's input.

use super::f32_slice;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Storage, Tensor, bail};

/// From the gradient of a value to the gradient of what it was computed from.
type Backward = Box<dyn Fn(&Tensor) -> Result<Tensor> + Send + Sync>;

/// `value`, computed from `input` without a graph, as a node of the graph whose gradient reaches `input` through
/// `backward`. On the CPU only; `input` must be contiguous.
///
/// # Errors
/// If `value` is not contiguous.
pub(crate) fn precomputed(
    input: &Tensor,
    value: Tensor,
    backward: impl Fn(&Tensor) -> Result<Tensor> + Send + Sync + 'static,
) -> Result<Tensor> {
    input.apply_op1(Precomputed { value, backward: Box::new(backward) })
}

struct Precomputed {
    value: Tensor,
    backward: Backward,
}

impl CustomOp1 for Precomputed {
    fn name(&self) -> &'static str {
        "precomputed"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        let (storage, layout) = self.value.storage_and_layout();
        match &*storage {
            Storage::Cpu(storage) => {
                let value = f32_slice(self.name(), storage, layout)?.to_vec();
                Ok((CpuStorage::F32(value), self.value.shape().clone()))
            }
            _ => bail!("{} works on the CPU", self.name()),
        }
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        (self.backward)(&grad.contiguous()?).map(Some)
    }
}

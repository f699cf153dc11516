//! A tensor's values, changed in place.

use super::f32_slice_mut;
use candle_core::{CpuStorage, InplaceOp1, Layout, Result, Tensor};
use std::cell::RefCell;

/// Runs `work` on the values of a contiguous `f32` tensor on the CPU. Calls may be nested for different tensors, which is
/// how more than one changes in one pass: candle's own in-place operations change their first tensor only.
///
/// # Errors
/// If the tensor is not as it must be, or `work` fails.
pub(crate) fn in_place(tensor: &Tensor, work: impl FnOnce(&mut [f32]) -> Result<()>) -> Result<()> {
    tensor.inplace_op1(&InPlace(RefCell::new(Some(work))))
}

struct InPlace<F>(RefCell<Option<F>>);

impl<F: FnOnce(&mut [f32]) -> Result<()>> InplaceOp1 for InPlace<F> {
    fn name(&self) -> &'static str {
        "in_place"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let values = f32_slice_mut(self.name(), storage, layout)?;
        self.0.take().map_or(Ok(()), |work| work(values))
    }
}

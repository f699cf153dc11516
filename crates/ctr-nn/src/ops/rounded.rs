//! Products whose factors are rounded to bfloat16.

#[cfg(feature = "cuda")]
use super::precomputed::on_cuda;
use super::{affine, input_gradient, precomputed::on_cpu, weight_gradient};
use crate::MatmulPrecision;
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};
use multiversion::multiversion;
use std::cell::RefCell;

/// `a b` for every replica in candle's graph, in the precision of dense layers' products: `[R, rows, inner]` and
/// `[R, inner, columns]`.
///
/// Where that is bfloat16, the gradient that arrives is a factor of both products of the backward and rounded too, as in the
/// layers that are one node.
///
/// # Errors
/// If the shapes do not fit, or the device does not have the precision.
pub fn dense_matmul(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if MatmulPrecision::get() != MatmulPrecision::Bf16 {
        return a.matmul(b);
    }
    let (a, b) = (a.contiguous()?, b.contiguous()?);
    let value = affine(&a.detach(), &b.detach(), None, false)?;
    a.apply_op2(&b, RoundedProduct { value })
}

struct RoundedProduct {
    value: Tensor,
}

impl CustomOp2 for RoundedProduct {
    fn name(&self) -> &'static str {
        "rounded_product"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        on_cpu(self.name(), &self.value)
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        _: &candle_core::CudaStorage,
        _: &Layout,
        _: &candle_core::CudaStorage,
        _: &Layout,
    ) -> Result<(candle_core::CudaStorage, Shape)> {
        on_cuda(self.name(), &self.value)
    }

    fn bwd(&self, a: &Tensor, b: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let of_a = input_gradient(&grad, &b.detach(), None)?;
        Ok((Some(of_a), Some(weight_gradient(&a.detach(), &grad)?)))
    }
}

/// Gives `work` the values of two factors rounded to bfloat16, in memory that the thread keeps.
pub(super) fn with_rounded(factors: [&[f32]; 2], work: impl FnOnce([&[f32]; 2])) {
    thread_local! {
        static ROUNDED: RefCell<[Vec<f32>; 2]> = const { RefCell::new([Vec::new(), Vec::new()]) };
    }
    ROUNDED.with_borrow_mut(|memory| {
        for (rounded, values) in memory.iter_mut().zip(factors) {
            rounded.resize(values.len(), 0.0);
            round(rounded, values);
        }
        let [left, right] = &*memory;
        work([left, right]);
    });
}

/// To the nearest bfloat16, ties to even, as `half::bf16::from_f32` does, but without a branch: a step of fine-tuning rounds as many
/// values as it has weights.
#[allow(clippy::needless_range_loop)] // Plain loops, as `width.rs` says why.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn round(rounded: &mut [f32], values: &[f32]) {
    let values = &values[..rounded.len()];
    for i in 0..rounded.len() {
        let bits = values[i].to_bits();
        // Just below half of the last kept bit, or half of it where that bit is set: carries where the nearest is above.
        let carried = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) & 0xffff_0000;
        // Not a number, carried, might become a number.
        let is_nan = bits & 0x7fff_ffff > 0x7f80_0000;
        rounded[i] = f32::from_bits(if is_nan { bits & 0xffff_0000 | 0x0040_0000 } else { carried });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::bf16;

    /// Every upper half of a float, with lower halves below, at and above the middle.
    #[test]
    fn rounds_as_half_does() {
        let lower = [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff];
        let values: Vec<f32> = (0..=u16::MAX)
            .flat_map(|upper| lower.map(|lower| f32::from_bits(u32::from(upper) << 16 | lower)))
            .collect();
        let mut rounded = vec![0.0; values.len()];
        round(&mut rounded, &values);
        for (value, rounded) in values.iter().zip(rounded) {
            assert_eq!(rounded.to_bits(), bf16::from_f32(*value).to_f32().to_bits(), "{:x}", value.to_bits());
        }
    }
}

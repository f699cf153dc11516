//! Products whose factors are rounded to bfloat16.

use super::{has_kernels, precomputed};
use crate::MatmulPrecision;
use candle_core::{DType, Result, Tensor};
use multiversion::multiversion;
use std::cell::RefCell;

/// `a b` for every replica as nodes of candle's graph, in the precision of dense layers' products: `[R, rows, inner]` and
/// `[R, inner, columns]`, contiguous.
///
/// Where that is bfloat16, the gradient that arrives is a factor of both products of the backward and rounded too, as
/// [`super::affine`] and the layers that are one node have it.
///
/// # Errors
/// If the shapes do not fit.
pub fn dense_matmul(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if MatmulPrecision::get() != MatmulPrecision::Bf16 || !has_kernels(a.device()) {
        return a.matmul(b);
    }
    // The gradient passes the rounding as if it were not there.
    let factor = |x: &Tensor| precomputed(x, rounded(&x.detach())?, Box::new(|grad| Ok(Some(grad.clone()))));
    let product = factor(a)?.matmul(&factor(b)?)?;
    precomputed(&product, product.detach(), Box::new(|grad| rounded(grad).map(Some)))
}

fn rounded(x: &Tensor) -> Result<Tensor> {
    x.to_dtype(DType::BF16)?.to_dtype(DType::F32)
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

//! Matrix products of contiguous rows on one thread of the CPU.
//!
//! x86-64 processors with AVX2 take `private-gemm-x86`, whose tiles lose less at the few samples of a fine-tuning step
//! (docs/performance.md); the others take `gemm`, which is candle's.

use candle_core::{Result, bail};
#[cfg(target_arch = "x86_64")]
use std::sync::LazyLock;

/// A factor of a product, by rows.
#[derive(Debug, Clone, Copy)]
pub(super) enum Factor<'a> {
    /// As it lies.
    Plain(&'a [f32]),
    /// The transposed of what lies there.
    Transposed(&'a [f32]),
}

impl Factor<'_> {
    fn values(&self) -> &[f32] {
        match self {
            Self::Plain(values) | Self::Transposed(values) => values,
        }
    }

    /// Distances of neighbours in a column and in a row of the factor, which is `rows` x `columns`.
    fn strides(&self, rows: usize, columns: usize) -> (isize, isize) {
        match self {
            Self::Plain(_) => (columns as isize, 1),
            Self::Transposed(_) => (1, rows as isize),
        }
    }
}

/// Sizes of a product: `left` is `rows` x `inner`, `right` `inner` x `columns`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub rows: usize,
    pub inner: usize,
    pub columns: usize,
}

/// `out += scale * left right`, `out` by rows.
///
/// # Errors
/// If a slice is not of its size.
pub(super) fn add_product(out: &mut [f32], scale: f32, left: Factor, right: Factor, sizes: Sizes) -> Result<()> {
    let Sizes { rows, inner, columns } = sizes;
    let lengths = [out.len(), left.values().len(), right.values().len()];
    if lengths != [rows * columns, rows * inner, inner * columns] {
        bail!("a product of {rows} x {inner} by {inner} x {columns} from {lengths:?} values");
    }
    if rows * columns * inner == 0 {
        return Ok(());
    }
    // SAFETY: the slices hold the values that the sizes and strides reach, as was just checked, and `out` is borrowed
    // mutably.
    unsafe { multiply(out.as_mut_ptr(), scale, left, right, sizes) }
    Ok(())
}

/// Whether the processor has what `private-gemm-x86` is called with.
#[cfg(target_arch = "x86_64")]
static HAS_AVX2: LazyLock<bool> = LazyLock::new(|| is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"));

#[cfg(target_arch = "x86_64")]
unsafe fn multiply(out: *mut f32, scale: f32, left: Factor, right: Factor, sizes: Sizes) {
    use private_gemm_x86::{Accum, DType, DstKind, IType, InstrSet, gemm};
    if !*HAS_AVX2 {
        // SAFETY: the caller's.
        return unsafe { multiply_anywhere(out, scale, left, right, sizes) };
    }
    let Sizes { rows, inner, columns } = sizes;
    let (left_rows, left_columns) = left.strides(rows, inner);
    let (right_rows, right_columns) = right.strides(inner, columns);
    // It takes its left factor in columns, so it is given `right^T left^T`, which makes `out` by columns, ours by rows.
    // SAFETY: the caller's; neither indices nor a diagonal are given.
    unsafe {
        gemm(
            DType::F32,
            IType::U64,
            InstrSet::Avx256,
            columns,
            rows,
            inner,
            out.cast(),
            1,
            columns as isize,
            std::ptr::null(),
            std::ptr::null(),
            DstKind::Full,
            Accum::Add,
            right.values().as_ptr().cast(),
            right_columns,
            right_rows,
            false,
            std::ptr::null(),
            0,
            left.values().as_ptr().cast(),
            left_columns,
            left_rows,
            false,
            (&raw const scale).cast(),
            1,
        );
    }
}

#[cfg(not(target_arch = "x86_64"))]
use multiply_anywhere as multiply;

unsafe fn multiply_anywhere(out: *mut f32, scale: f32, left: Factor, right: Factor, sizes: Sizes) {
    let Sizes { rows, inner, columns } = sizes;
    let (left_rows, left_columns) = left.strides(rows, inner);
    let (right_rows, right_columns) = right.strides(inner, columns);
    // SAFETY: the caller's.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            inner,
            out,
            1,
            columns as isize,
            true,
            left.values().as_ptr(),
            left_columns,
            left_rows,
            right.values().as_ptr(),
            right_columns,
            right_rows,
            1.0,
            scale,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(values: usize, pace: f32) -> Vec<f32> {
        (0..values).map(|i| (i as f32 * pace).sin()).collect()
    }

    fn transposed(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
        (0..rows * columns).map(|i| values[i % rows * columns + i / rows]).collect()
    }

    /// `out + scale * left right` in f64, factors by rows.
    fn plain(out: &[f32], scale: f32, left: &[f32], right: &[f32], sizes: Sizes) -> Vec<f32> {
        let Sizes { inner, columns, .. } = sizes;
        let product = |i: usize| {
            let (row, column) = (i / columns, i % columns);
            (0..inner).map(|k| f64::from(left[row * inner + k]) * f64::from(right[k * columns + column])).sum::<f64>()
        };
        out.iter().enumerate().map(|(i, &start)| (f64::from(start) + f64::from(scale) * product(i)) as f32).collect()
    }

    /// Every width up to two tiles of 24, ends of tiles in all directions, and more than one block of depth; by both
    /// libraries, from any address: a result that depended on the address would not be repeatable.
    #[test]
    fn equals_the_plain_sum_from_any_address() {
        let widths = (1..=50).map(|columns| [5, 7, columns]);
        for [rows, inner, columns] in
            widths.chain([[32, 128, 128], [33, 1, 65], [1, 600, 3], [130, 33, 24], [64, 530, 40]])
        {
            let sizes = Sizes { rows, inner, columns };
            let (left, right) = (wave(rows * inner, 0.3), wave(inner * columns, 0.7));
            let start = wave(rows * columns, 1.1);
            let expected = plain(&start, -0.5, &left, &right, sizes);
            let (left_t, right_t) = (transposed(&left, rows, inner), transposed(&right, inner, columns));
            for (left_is_plain, right_is_plain) in [(true, true), (true, false), (false, true), (false, false)] {
                let left = if left_is_plain { Factor::Plain(&left) } else { Factor::Transposed(&left_t) };
                let right = if right_is_plain { Factor::Plain(&right) } else { Factor::Transposed(&right_t) };
                let mut out = start.clone();
                add_product(&mut out, -0.5, left, right, sizes).unwrap();
                let mut anywhere = start.clone();
                // SAFETY: the sizes are those of the slices.
                unsafe { multiply_anywhere(anywhere.as_mut_ptr(), -0.5, left, right, sizes) };
                for ((value, other), expected) in out.iter().zip(&anywhere).zip(&expected) {
                    assert!((value - expected).abs() < 2e-5 && (other - expected).abs() < 2e-5, "{sizes:?}");
                }
                for shift in 1..9 {
                    let moved = |values: &[f32]| [wave(shift, 1.0), values.to_vec()].concat();
                    let (a, b) = (moved(left.values()), moved(right.values()));
                    let left = if left_is_plain { Factor::Plain(&a[shift..]) } else { Factor::Transposed(&a[shift..]) };
                    let right =
                        if right_is_plain { Factor::Plain(&b[shift..]) } else { Factor::Transposed(&b[shift..]) };
                    let mut again = moved(&start);
                    add_product(&mut again[shift..], -0.5, left, right, sizes).unwrap();
                    assert_eq!(again[shift..], out, "{sizes:?} {shift}");
                    assert_eq!(again[..shift], wave(shift, 1.0), "{sizes:?} {shift}");
                }
            }
        }
    }

    #[test]
    fn refuses_slices_of_other_sizes() {
        let sizes = Sizes { rows: 2, inner: 3, columns: 2 };
        let message = add_product(&mut [0.0; 4], 1.0, Factor::Plain(&[0.0; 5]), Factor::Plain(&[0.0; 6]), sizes);
        assert!(message.unwrap_err().to_string().contains("2 x 3 by 3 x 2 from [4, 5, 6] values"));
    }
}

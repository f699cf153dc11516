//! Matrix products of contiguous rows on one thread of the CPU.
//!
//! x86-64 processors with AVX2 take `private-gemm-x86`, whose tiles lose less at the few samples of a fine-tuning step
//! (docs/performance.md); the others take `gemm`, which is candle's.

use candle_core::{Result, bail};
#[cfg(target_arch = "x86_64")]
use std::{ops::Range, sync::LazyLock};

#[cfg(not(target_arch = "x86_64"))]
use self::multiply_anywhere as multiply;

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

impl Sizes {
    /// # Errors
    /// If a factor is not of its size.
    fn check(self, left: Factor, right: Factor) -> Result<()> {
        let Self { rows, inner, columns } = self;
        let lengths = [left.values().len(), right.values().len()];
        if lengths != [rows * inner, inner * columns] {
            bail!("a product of {rows} x {inner} by {inner} x {columns} from {lengths:?} values");
        }
        Ok(())
    }
}

/// `out += scale * left right`, `out` by rows.
///
/// # Errors
/// If a slice is not of its size.
pub(super) fn add_product(out: &mut [f32], scale: f32, left: Factor, right: Factor, sizes: Sizes) -> Result<()> {
    sizes.check(left, right)?;
    if out.len() != sizes.rows * sizes.columns {
        bail!("a product of {} x {} values added to {}", sizes.rows, sizes.columns, out.len());
    }
    if !out.is_empty() && sizes.inner > 0 {
        // SAFETY: the slices hold the values that the sizes and strides reach, as was just checked, and `out` is borrowed
        // mutably.
        unsafe { multiply(out.as_mut_ptr(), true, scale, left, right, sizes) }
    }
    Ok(())
}

/// Appends `left right`, by rows, to `out`: memory that has no values yet is written once.
///
/// # Errors
/// If a slice is not of its size.
pub(super) fn push_product(out: &mut Vec<f32>, left: Factor, right: Factor, sizes: Sizes) -> Result<()> {
    sizes.check(left, right)?;
    let (start, values) = (out.len(), sizes.rows * sizes.columns);
    if values == 0 || sizes.inner == 0 {
        out.resize(start + values, 0.0);
        return Ok(());
    }
    out.reserve(values);
    // SAFETY: the factors hold the values that the sizes and strides reach, as was just checked; the memory behind `out`'s
    // values is its own, there is enough of it, and the product writes `values` values there before they count as such.
    unsafe {
        multiply(out.as_mut_ptr().add(start), false, 1.0, left, right, sizes);
        out.set_len(start + values);
    }
    Ok(())
}

/// Whether the processor has what `private-gemm-x86` is called with.
#[cfg(target_arch = "x86_64")]
static HAS_AVX2: LazyLock<bool> = LazyLock::new(|| is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"));

/// Columns of a tile of `private-gemm-x86`, three vectors of eight.
#[cfg(target_arch = "x86_64")]
const TILE: usize = 24;

/// Columns of the last product, where all at once would leave a tile of one vector: its four sums are too few to hide how
/// long an addition takes, while two tiles of two vectors do.
#[cfg(target_arch = "x86_64")]
const LAST_COLUMNS: usize = 16;

/// `out = left right`, or `out += scale * left right` if `adds`.
///
/// # Safety
/// The factors and `out` must be valid for the values that `sizes` says, `out`'s for writing and, if `adds`, for reading.
#[cfg(target_arch = "x86_64")]
unsafe fn multiply(out: *mut f32, adds: bool, scale: f32, left: Factor, right: Factor, sizes: Sizes) {
    if !*HAS_AVX2 {
        // SAFETY: the caller's.
        return unsafe { multiply_anywhere(out, adds, scale, left, right, sizes) };
    }
    let columns = sizes.columns;
    let split = if columns > TILE && (1..=8).contains(&(columns % TILE)) { columns - LAST_COLUMNS } else { columns };
    // SAFETY: the caller's; the processor was asked, and the parts are of the columns that there are.
    unsafe {
        multiply_columns(out, adds, scale, left, right, sizes, 0..split);
        if split < columns {
            multiply_columns(out, adds, scale, left, right, sizes, split..columns);
        }
    }
}

/// The same for some of the columns, by `private-gemm-x86`. Its scratch memory, as large as the third-level cache on each thread, is
/// only reserved until it is touched.
///
/// # Safety
/// As [`multiply`]; the processor has AVX2 and FMA, and `part` lies within the columns.
#[cfg(target_arch = "x86_64")]
unsafe fn multiply_columns(
    out: *mut f32,
    adds: bool,
    scale: f32,
    left: Factor,
    right: Factor,
    Sizes { rows, inner, columns }: Sizes,
    part: Range<usize>,
) {
    use private_gemm_x86::{Accum, DType, DstKind, IType, InstrSet, gemm};
    let (left_rows, left_columns) = left.strides(rows, inner);
    let (right_rows, right_columns) = right.strides(inner, columns);
    // It takes its left factor in columns, so it is given `right^T left^T`, which makes `out` by columns, ours by rows.
    // SAFETY: the caller's, processor included; neither indices nor a diagonal are given, and `Accum::Replace` does not read
    // `out` (version 0.1.22, to which Cargo.toml holds the library for that).
    unsafe {
        gemm(
            DType::F32,
            IType::U64,
            InstrSet::Avx256,
            part.len(),
            rows,
            inner,
            out.add(part.start).cast(),
            1,
            columns as isize,
            std::ptr::null(),
            std::ptr::null(),
            DstKind::Full,
            if adds { Accum::Add } else { Accum::Replace },
            right.values().as_ptr().offset(part.start as isize * right_columns).cast(),
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
        clear_upper_halves();
    }
}

/// Lets SSE code, as most other loops are, run at its speed on Intel's processors: `private-gemm-x86` leaves the upper halves of
/// the vector registers in use.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx")]
fn clear_upper_halves() {
    std::arch::x86_64::_mm256_zeroupper();
}

/// `out = left right`, or `out += scale * left right` if `adds`, by `gemm`.
///
/// # Safety
/// The factors and `out` must be valid for the values that `sizes` says, `out`'s for writing and, if `adds`, for reading.
unsafe fn multiply_anywhere(out: *mut f32, adds: bool, scale: f32, left: Factor, right: Factor, sizes: Sizes) {
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
            adds,
            left.values().as_ptr(),
            left_columns,
            left_rows,
            right.values().as_ptr(),
            right_columns,
            right_rows,
            if adds { 1.0 } else { 0.0 },
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

    /// Every width up to two tiles of 24, ends of tiles in all directions, and more than one block of depth, of rows and of
    /// columns (1,100 are more than one for a second-level cache of up to 2 MiB); by both libraries, from any address: a result
    /// that depended on the address would not be repeatable.
    #[test]
    fn equals_the_plain_sum_from_any_address() {
        let widths = (1..=50).map(|columns| [5, 7, columns]);
        for [rows, inner, columns] in widths.chain([
            [32, 128, 128],
            [128, 32, 128],
            [1100, 530, 8],
            [8, 530, 1100],
            [33, 1, 65],
            [1, 600, 3],
            [130, 33, 24],
            [64, 530, 40],
        ]) {
            let sizes = Sizes { rows, inner, columns };
            let (left, right) = (wave(rows * inner, 0.3), wave(inner * columns, 0.7));
            let (left_by_rows, right_by_rows) = (&left, &right);
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
                unsafe { multiply_anywhere(anywhere.as_mut_ptr(), true, -0.5, left, right, sizes) };
                for ((value, other), expected) in out.iter().zip(&anywhere).zip(&expected) {
                    assert!((value - expected).abs() < 2e-5 && (other - expected).abs() < 2e-5, "{sizes:?}");
                }
                let mut written = vec![f32::NAN; rows * columns];
                // SAFETY: the sizes are those of the slices.
                unsafe { multiply_anywhere(written.as_mut_ptr(), false, 1.0, left, right, sizes) };
                let mut pushed = vec![7.0];
                push_product(&mut pushed, left, right, sizes).unwrap();
                let product = plain(&vec![0.0; rows * columns], 1.0, left_by_rows, right_by_rows, sizes);
                assert!(pushed[0] == 7.0 && pushed.len() == 1 + rows * columns);
                for values in [&pushed[1..], &written] {
                    assert!(values.iter().zip(&product).all(|(a, b)| (a - b).abs() < 2e-5), "{sizes:?}");
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
        assert!(message.unwrap_err().to_string().contains("2 x 3 by 3 x 2 from [5, 6] values"));
        let message = add_product(&mut [0.0; 3], 1.0, Factor::Plain(&[0.0; 6]), Factor::Plain(&[0.0; 6]), sizes);
        assert!(message.unwrap_err().to_string().contains("2 x 2 values added to 3"));
        let mut out = vec![1.0];
        assert!(push_product(&mut out, Factor::Plain(&[0.0; 6]), Factor::Plain(&[0.0; 7]), sizes).is_err());
        let nothing = Sizes { rows: 1, inner: 0, columns: 2 };
        push_product(&mut out, Factor::Plain(&[]), Factor::Plain(&[]), nothing).unwrap();
        assert_eq!(out, [1.0, 0.0, 0.0]);
    }
}

//! Matrix products of contiguous rows on one thread of the CPU.
//!
//! x86-64 processors with AVX2 take `private-gemm-x86`, whose tiles lose less at the few samples of a fine-tuning step, and
//! which uses AVX-512 where there is some (docs/performance.md); the others take `gemm`, which is candle's. Products of one column are
//! loops of our own (`column.rs`).

#[cfg(target_arch = "x86_64")]
use super::kernels::Kernels;
use super::{column::add_column, rounded::with_rounded};
use crate::MatmulPrecision;
use candle_core::{Result, bail};

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

impl<'a> Factor<'a> {
    fn values(&self) -> &'a [f32] {
        match self {
            Self::Plain(values) | Self::Transposed(values) => values,
        }
    }

    /// Other values that lie in the same way.
    fn with_values<'b>(&self, values: &'b [f32]) -> Factor<'b> {
        match self {
            Self::Plain(_) => Factor::Plain(values),
            Self::Transposed(_) => Factor::Transposed(values),
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
    in_precision(left, right, |left, right| add(out, scale, left, right, sizes));
    Ok(())
}

fn add(out: &mut [f32], scale: f32, left: Factor, right: Factor, sizes: Sizes) {
    if sizes.columns == 1 {
        add_column(out, scale, left, right.values());
        return;
    }
    if !out.is_empty() && sizes.inner > 0 {
        // SAFETY: the slices hold the values that the sizes and strides reach, as `add_product` has checked, and `out` is
        // borrowed mutably.
        unsafe { multiply(out.as_mut_ptr(), true, scale, left, right, sizes) }
    }
}

/// Appends `left right`, by rows, to `out`: tiles are written once, to memory that has no values yet.
///
/// # Errors
/// If a slice is not of its size.
pub(super) fn push_product(out: &mut Vec<f32>, left: Factor, right: Factor, sizes: Sizes) -> Result<()> {
    sizes.check(left, right)?;
    in_precision(left, right, |left, right| push(out, left, right, sizes));
    Ok(())
}

fn push(out: &mut Vec<f32>, left: Factor, right: Factor, sizes: Sizes) {
    let (start, values) = (out.len(), sizes.rows * sizes.columns);
    if sizes.columns == 1 {
        out.resize(start + values, 0.0);
        add_column(&mut out[start..], 1.0, left, right.values());
        return;
    }
    if values == 0 || sizes.inner == 0 {
        out.resize(start + values, 0.0);
        return;
    }
    out.reserve(values);
    // SAFETY: the factors hold the values that the sizes and strides reach, as `push_product` has checked; the memory behind
    // `out`'s values is its own, there is enough of it, and the product writes `values` values there before they count as such.
    unsafe {
        multiply(out.as_mut_ptr().add(start), false, 1.0, left, right, sizes);
        out.set_len(start + values);
    }
}

/// Gives `multiply` the factors as this process's precision has them.
fn in_precision(left: Factor, right: Factor, multiply: impl FnOnce(Factor, Factor)) {
    match MatmulPrecision::get() {
        MatmulPrecision::Bf16 => with_rounded([left.values(), right.values()], |[of_left, of_right]| {
            multiply(left.with_values(of_left), right.with_values(of_right));
        }),
        // TF32 is for CUDA devices only.
        MatmulPrecision::Float32 | MatmulPrecision::Tf32 => multiply(left, right),
    }
}

/// `out = left right`, or `out += scale * left right` if `adds`.
///
/// # Safety
/// The factors and `out` must be valid for the values that `sizes` says, `out`'s for writing and, if `adds`, for reading.
#[cfg(target_arch = "x86_64")]
unsafe fn multiply(out: *mut f32, adds: bool, scale: f32, left: Factor, right: Factor, sizes: Sizes) {
    // SAFETY: the caller's; the kernels are those of this processor.
    unsafe {
        match Kernels::of_this_processor() {
            Some(kernels) => multiply_by(kernels, out, adds, scale, left, right, sizes),
            None => multiply_anywhere(out, adds, scale, left, right, sizes),
        }
    }
}

/// The same by `kernels` of `private-gemm-x86`. Its scratch memory, on each thread two buffers of what it takes for the third-level
/// cache, is only reserved until it is touched.
///
/// # Safety
/// As [`multiply`]; the processor has what `kernels` need.
#[cfg(target_arch = "x86_64")]
unsafe fn multiply_by(
    kernels: Kernels,
    out: *mut f32,
    adds: bool,
    scale: f32,
    left: Factor,
    right: Factor,
    Sizes { rows, inner, columns }: Sizes,
) {
    use private_gemm_x86::{Accum, DType, DstKind, IType, gemm};
    let (left_rows, left_columns) = left.strides(rows, inner);
    let (right_rows, right_columns) = right.strides(inner, columns);
    let mut start = 0;
    while start < columns {
        let width = kernels.columns_at_once(columns - start);
        // It takes its left factor in columns, so it is given `right^T left^T`, which makes `out` by columns, ours by rows.
        // SAFETY: the caller's, processor included, and the part is of the columns that there are; neither indices nor a
        // diagonal are given, and `Accum::Replace` does not read `out` (version 0.1.22, to which Cargo.toml holds the library
        // for that).
        unsafe {
            gemm(
                DType::F32,
                IType::U64,
                kernels.instructions(),
                width,
                rows,
                inner,
                out.add(start).cast(),
                1,
                columns as isize,
                std::ptr::null(),
                std::ptr::null(),
                DstKind::Full,
                if adds { Accum::Add } else { Accum::Replace },
                right.values().as_ptr().offset(start as isize * right_columns).cast(),
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
        start += width;
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

    /// Writes or adds a product.
    type Way = fn(&mut [f32], bool, Factor, Factor, Sizes);

    const SCALE: f32 = -0.5;

    /// Every library, with every kind of kernels that this processor can run.
    fn ways() -> Vec<Way> {
        fn scale(adds: bool) -> f32 {
            if adds { SCALE } else { 1.0 }
        }
        // SAFETY, of all: the test's sizes are those of its slices, and kernels are asked for where they can run.
        let anywhere: Way = |out, adds, left, right, sizes| unsafe {
            multiply_anywhere(out.as_mut_ptr(), adds, scale(adds), left, right, sizes)
        };
        #[cfg(not(target_arch = "x86_64"))]
        return vec![anywhere];
        #[cfg(target_arch = "x86_64")]
        std::iter::once(anywhere)
            .chain(Kernels::runnable().into_iter().map(|kernels| -> Way {
                match kernels {
                    Kernels::Avx2 => |out, adds, left, right, sizes| unsafe {
                        multiply_by(Kernels::Avx2, out.as_mut_ptr(), adds, scale(adds), left, right, sizes)
                    },
                    Kernels::Avx512 => |out, adds, left, right, sizes| unsafe {
                        multiply_by(Kernels::Avx512, out.as_mut_ptr(), adds, scale(adds), left, right, sizes)
                    },
                }
            }))
            .collect()
    }

    /// Every width up to a tile of 96 and a bit, ends of tiles in all directions, and more than one block of depth, of rows and of
    /// columns (1,100 are more than one for a second-level cache of up to 2 MiB); in every way, from any address: a result
    /// that depended on the address would not be repeatable.
    #[test]
    fn equals_the_plain_sum_from_any_address() {
        let widths = (1..=100).map(|columns| [5, 7, columns]);
        for [rows, inner, columns] in widths.chain([
            [32, 128, 128],
            [128, 32, 128],
            [1100, 530, 8],
            [8, 530, 1100],
            [33, 1, 65],
            [1, 600, 3],
            [130, 33, 24],
            [64, 530, 40],
            [6, 40, 400],
            [32, 64, 1],
            [64, 32, 1],
            [3, 77, 1],
        ]) {
            let sizes = Sizes { rows, inner, columns };
            let (left, right) = (wave(rows * inner, 0.3), wave(inner * columns, 0.7));
            let start = wave(rows * columns, 1.1);
            let added = plain(&start, SCALE, &left, &right, sizes);
            let written = plain(&vec![0.0; rows * columns], 1.0, &left, &right, sizes);
            let (left_t, right_t) = (transposed(&left, rows, inner), transposed(&right, inner, columns));
            let lefts = [Factor::Plain(&left), Factor::Transposed(&left_t)];
            let rights = [Factor::Plain(&right), Factor::Transposed(&right_t)];
            for (left, right) in lefts.into_iter().flat_map(|left| rights.map(|right| (left, right))) {
                let mut by_avx2 = [Vec::new(), Vec::new()];
                for (way, multiply) in ways().into_iter().enumerate() {
                    for (adds, start, expected) in
                        [(true, &start, &added), (false, &vec![f32::NAN; rows * columns], &written)]
                    {
                        let mut out = start.clone();
                        multiply(&mut out, adds, left, right, sizes);
                        assert_close(&out, expected, sizes);
                        // One sum after the other along `inner`, whatever the width of the vectors: the same bytes.
                        if way > 1 {
                            assert_eq!(out, by_avx2[usize::from(adds)], "{sizes:?}");
                        }
                        by_avx2[usize::from(adds)].clone_from(&out);
                        for shift in 1..9 {
                            let (a, b) = (moved(left, shift), moved(right, shift));
                            let around = wave(shift + 16, 1.0);
                            let mut again = [&around[..shift], start, &around[shift..]].concat();
                            let (left, right) = (left.with_values(&a[shift..]), right.with_values(&b[shift..]));
                            let inner = shift..shift + out.len();
                            multiply(&mut again[inner.clone()], adds, left, right, sizes);
                            assert_eq!(again[inner.clone()], out, "{sizes:?} {shift} way {way}");
                            assert_eq!(again[..shift], around[..shift], "{sizes:?} {shift} way {way}");
                            assert_eq!(again[inner.end..], around[shift..], "{sizes:?} {shift} way {way}");
                        }
                    }
                }
                let mut out = start.clone();
                add_product(&mut out, SCALE, left, right, sizes).unwrap();
                assert_close(&out, &added, sizes);
                let mut pushed = vec![7.0];
                push_product(&mut pushed, left, right, sizes).unwrap();
                assert_eq!((pushed[0], pushed.len()), (7.0, 1 + rows * columns));
                assert_close(&pushed[1..], &written, sizes);
            }
        }
    }

    fn assert_close(values: &[f32], expected: &[f32], sizes: Sizes) {
        assert!(values.iter().zip(expected).all(|(a, b)| (a - b).abs() < 2e-5), "{sizes:?}");
    }

    /// The factor's values behind `shift` others.
    fn moved(factor: Factor, shift: usize) -> Vec<f32> {
        [wave(shift, 1.0), factor.values().to_vec()].concat()
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

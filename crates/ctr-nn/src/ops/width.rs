//! Loops over short rows whose width the compiler knows.
//!
//! A row of 16 values is two or four vector registers; a loop that learns the width when it runs pays more for itself than
//! for the values. So kernels take `const WIDTH: usize` beside the width, and the usual widths get a kernel each.
//!
//! Kernels that gain by it are compiled for AVX2 too (`multiversion`), those over long rows for AVX-512 as well: the same
//! operations in the same order, so the same results. (Over short rows AVX-512 loses: the compiler gathers across rows.) They hold
//! plain loops only, and what these call is outside and always inlined: a closure written within would be compiled for AVX2
//! itself, not be inlined into an adaptor of the standard library that is not, and cost a call for every row.

/// The width of a kernel: `WIDTH`, or what it learns when it runs where that is 0.
#[inline(always)]
pub(crate) fn width<const WIDTH: usize>(of_run: usize) -> usize {
    if WIDTH == 0 { of_run } else { WIDTH }
}

/// Calls `$kernel::<WIDTH>(arguments)` with `$width` as `WIDTH` if that is a usual width, and with 0 otherwise.
macro_rules! for_width {
    ($width:expr, $($kernel:ident).+ ( $($argument:expr),* $(,)? )) => {
        match $width {
            1 => $($kernel).+::<1>($($argument),*),
            8 => $($kernel).+::<8>($($argument),*),
            16 => $($kernel).+::<16>($($argument),*),
            32 => $($kernel).+::<32>($($argument),*),
            _ => $($kernel).+::<0>($($argument),*),
        }
    };
}
pub(crate) use for_width;

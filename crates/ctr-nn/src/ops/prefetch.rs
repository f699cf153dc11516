//! Asking for table rows before they are needed.

/// How many rows ahead: a random row of a large table takes about as long to arrive as so many take to work on.
pub(crate) const ROWS_AHEAD: usize = 12;

/// Values of the smallest table that is worth it: a smaller one is in the cache.
const SMALLEST_TABLE: usize = 1 << 18;

/// Whether rows of these values should be asked for.
pub(crate) fn pays(values: &[f32]) -> bool {
    values.len() >= SMALLEST_TABLE
}

/// Asks for the cache lines at both ends of `values[start..start + len]`, if that range lies within. Rows of a large table
/// are read in no order that the processor could foresee; asking early lets many arrive at once. Elsewhere than on x86-64
/// it does nothing.
#[inline(always)]
pub(crate) fn prefetch(values: &[f32], start: usize, len: usize) {
    #[cfg(target_arch = "x86_64")]
    if len > 0
        && let Some(row) = values.get(start..start + len)
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing and faults on nothing; both pointers are into `row`.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(row.as_ptr().cast());
            _mm_prefetch::<_MM_HINT_T0>(row.as_ptr().add(len - 1).cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (values, start, len);
}

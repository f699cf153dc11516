//! Products of a column and a row: what the gradient of an output layer's input is made of. The tiles of a matrix product would be
//! written after a single multiplication.

use multiversion::multiversion;

/// Appends `left_i right_j`, by rows, to `out`.
pub(super) fn push_outer(out: &mut Vec<f32>, left: &[f32], right: &[f32]) {
    let start = out.len();
    out.resize(start + left.len() * right.len(), 0.0);
    outer(&mut out[start..], left, right);
}

// Plain loops, as `width.rs` says why.
#[allow(clippy::needless_range_loop)]
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn outer(out: &mut [f32], left: &[f32], right: &[f32]) {
    let columns = right.len();
    for i in 0..left.len() {
        let (value, row) = (left[i], &mut out[i * columns..][..columns]);
        for j in 0..columns {
            row[j] = value * right[j];
        }
    }
}

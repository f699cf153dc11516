//! Products of one column: what a layer with one output is made of. A tile of a matrix product takes a whole vector of columns, and
//! would leave all but one of its values unused.

use super::product::Factor;
use multiversion::multiversion;

/// Sums that run beside each other, in an order that does not depend on the processor.
const LANES: usize = 16;

/// `out += scale * left right`, where `left` is `out.len()` x `right.len()`.
///
/// # Panics
/// If `left` is shorter.
pub(super) fn add_column(out: &mut [f32], scale: f32, left: Factor, right: &[f32]) {
    match left {
        Factor::Plain(rows) => add_dots(out, scale, rows, right),
        Factor::Transposed(columns) => add_weighted(out, scale, columns, right),
    }
}

// Plain loops, as `width.rs` says why.
#[allow(clippy::needless_range_loop)]
#[multiversion(targets("x86_64+avx2"))]
fn add_dots(out: &mut [f32], scale: f32, rows: &[f32], right: &[f32]) {
    let inner = right.len();
    let in_lanes = inner - inner % LANES;
    for i in 0..out.len() {
        let row = &rows[i * inner..][..inner];
        let mut sums = [0f32; LANES];
        let mut at = 0;
        while at < in_lanes {
            let (values, weights) = (&row[at..at + LANES], &right[at..at + LANES]);
            for lane in 0..LANES {
                sums[lane] += values[lane] * weights[lane];
            }
            at += LANES;
        }
        let mut half = LANES / 2;
        while half > 0 {
            for lane in 0..half {
                sums[lane] += sums[lane + half];
            }
            half /= 2;
        }
        let mut sum = sums[0];
        for at in in_lanes..inner {
            sum += row[at] * right[at];
        }
        out[i] += scale * sum;
    }
}

/// Four columns in one pass over `out`, added one after the other, so that its values wait less for each other.
#[allow(clippy::needless_range_loop)]
#[multiversion(targets("x86_64+avx2"))]
fn add_weighted(out: &mut [f32], scale: f32, columns: &[f32], right: &[f32]) {
    let rows = out.len();
    let fours = right.len() - right.len() % 4;
    for k in (0..fours).step_by(4) {
        let [p, q, r, s] = [scale * right[k], scale * right[k + 1], scale * right[k + 2], scale * right[k + 3]];
        let (first, second) = columns[k * rows..][..4 * rows].split_at(2 * rows);
        let ((a, b), (c, d)) = (first.split_at(rows), second.split_at(rows));
        let (b, d) = (&b[..rows], &d[..rows]);
        for i in 0..rows {
            out[i] = out[i] + p * a[i] + q * b[i] + r * c[i] + s * d[i];
        }
    }
    for k in fours..right.len() {
        let (weight, column) = (scale * right[k], &columns[k * rows..][..rows]);
        for i in 0..rows {
            out[i] += weight * column[i];
        }
    }
}

//! Sorted look-ups in pieces that share no row, so that they are added up in parallel.

use crate::ops::prefetch::{self, ROWS_AHEAD, prefetch};
use crate::ops::width::width;
use crate::row_order::{position_of, row_of};

/// The gradients of all look-ups by position.
pub(crate) struct LookedUp<'a> {
    pub slices: &'a [&'a [f32]],
    pub starts: &'a [usize],
    pub dim: usize,
}

impl LookedUp<'_> {
    #[inline(always)]
    fn at(&self, entry: u64) -> (&[f32], usize) {
        let position = position_of(entry);
        let part = self.starts.iter().skip(1).take_while(|start| position >= **start).count();
        (self.slices[part], (position - self.starts[part]) * self.dim)
    }

    #[inline(always)]
    fn row(&self, entry: u64) -> &[f32] {
        let (slice, at) = self.at(entry);
        &slice[at..at + self.dim]
    }
}

/// Entries, and the range of rows that no other piece has.
pub(crate) struct Piece<'a, const TENSORS: usize> {
    entries: &'a [u64],
    first_row: usize,
    tensors: [(&'a mut [f32], usize); TENSORS],
}

/// Cuts the entries into about equal pieces at borders between rows, and the tensors at these rows.
pub(crate) fn pieces_of<'a, const TENSORS: usize>(
    entries: &'a [u64],
    count: usize,
    tensors: [(&'a mut [f32], usize); TENSORS],
) -> Vec<Piece<'a, TENSORS>> {
    let mut pieces = Vec::with_capacity(count);
    let mut rest = Piece { entries, first_row: 0, tensors };
    for piece in 0..count {
        let (done, target) = (entries.len() - rest.entries.len(), entries.len() * (piece + 1) / count);
        let Some(&border) = rest.entries.get(target.saturating_sub(done)) else { break };
        let end = rest.entries.partition_point(|&entry| row_of(entry) < row_of(border));
        let (own, behind) = rest.entries.split_at(end);
        let rows = row_of(border) - rest.first_row;
        let mut tails = Vec::with_capacity(TENSORS);
        let heads = rest.tensors.map(|(values, row_len)| {
            let (head, tail) = values.split_at_mut(rows * row_len);
            tails.push((tail, row_len));
            (head, row_len)
        });
        pieces.push(Piece { entries: own, first_row: rest.first_row, tensors: heads });
        let mut tails = tails.into_iter();
        let tensors = std::array::from_fn(|_| tails.next().unwrap_or_default());
        rest = Piece { entries: behind, first_row: row_of(border), tensors };
    }
    pieces.push(rest);
    pieces
}

impl<const TENSORS: usize> Piece<'_, TENSORS> {
    /// Calls `update` once for every row of the piece, with the sum of its gradients.
    pub fn run<const WIDTH: usize>(mut self, grads: &LookedUp, update: &impl Fn([&mut [f32]; TENSORS], &[f32])) {
        let dim = width::<WIDTH>(grads.dim);
        let far = self.tensors.iter().any(|(values, _)| prefetch::pays(values));
        let mut sum = vec![0f32; dim];
        let mut rest = self.entries;
        while let [entry, ..] = rest {
            let row = row_of(*entry);
            let count = rest.iter().take_while(|entry| row_of(**entry) == row).count();
            if let Some(&next) = rest.get(ROWS_AHEAD) {
                let (slice, at) = grads.at(next);
                prefetch(slice, at, dim);
                if far {
                    for (values, len) in &self.tensors {
                        prefetch(values, (row_of(next) - self.first_row) * len, *len);
                    }
                }
            }
            let (own, behind) = rest.split_at(count);
            let values = self.tensors.each_mut().map(|(values, len)| {
                let at = (row - self.first_row) * *len;
                &mut values[at..at + *len]
            });
            match own {
                [only] => update(values, &grads.row(*only)[..dim]),
                [first, others @ ..] => {
                    sum[..dim].copy_from_slice(&grads.row(*first)[..dim]);
                    for &entry in others {
                        sum[..dim].iter_mut().zip(&grads.row(entry)[..dim]).for_each(|(sum, grad)| *sum += grad);
                    }
                    update(values, &sum[..dim]);
                }
                [] => {}
            }
            rest = behind;
        }
    }
}

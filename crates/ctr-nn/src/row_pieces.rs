//! Sorted look-ups in pieces that share no row, so that they are added up in parallel.

use crate::ops::{
    Update,
    prefetch::{ROWS_AHEAD, prefetch},
    width::width,
};
use crate::row_order::{position_of, row_of};
use multiversion::multiversion;

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

/// Where a piece ends: the entries before it, and the row of which the next one is.
struct Border {
    entries: usize,
    row: usize,
}

/// Cuts the entries into about equal pieces at borders between rows, and the tensors at these rows.
pub(crate) fn pieces_of<'a, const TENSORS: usize>(
    entries: &'a [u64],
    count: usize,
    tensors: [(&'a mut [f32], usize); TENSORS],
) -> Vec<Piece<'a, TENSORS>> {
    let mut done = 0;
    let borders = (1..=count).map_while(|piece| {
        let target = done.max(entries.len() * piece / count);
        let row = row_of(*entries.get(target)?);
        done += entries[done..].partition_point(|&entry| row_of(entry) < row);
        Some(Border { entries: done, row })
    });
    cut(entries, borders.collect(), tensors)
}

/// Cuts the tensors into pieces of about as many rows each, and the entries where they cross into the next piece.
pub(crate) fn pieces_of_all_rows<'a, const TENSORS: usize>(
    entries: &'a [u64],
    count: usize,
    tensors: [(&'a mut [f32], usize); TENSORS],
) -> Vec<Piece<'a, TENSORS>> {
    let rows = tensors[0].0.len() / tensors[0].1.max(1);
    let borders = (1..count).map(|piece| {
        let row = rows * piece / count;
        Border { entries: entries.partition_point(|&entry| row_of(entry) < row), row }
    });
    cut(entries, borders.collect(), tensors)
}

fn cut<'a, const TENSORS: usize>(
    entries: &'a [u64],
    borders: Vec<Border>,
    tensors: [(&'a mut [f32], usize); TENSORS],
) -> Vec<Piece<'a, TENSORS>> {
    let mut pieces = Vec::with_capacity(borders.len() + 1);
    let mut rest = Piece { entries, first_row: 0, tensors };
    for border in borders {
        let done = entries.len() - rest.entries.len();
        let (own, behind) = rest.entries.split_at(border.entries - done);
        let rows = border.row - rest.first_row;
        let mut tails = Vec::with_capacity(TENSORS);
        let heads = rest.tensors.map(|(values, row_len)| {
            let (head, tail) = values.split_at_mut(rows * row_len);
            tails.push((tail, row_len));
            (head, row_len)
        });
        pieces.push(Piece { entries: own, first_row: rest.first_row, tensors: heads });
        let mut tails = tails.into_iter();
        let tensors = std::array::from_fn(|_| tails.next().unwrap_or_default());
        rest = Piece { entries: behind, first_row: border.row, tensors };
    }
    pieces.push(rest);
    pieces
}

/// What becomes of a row.
pub(crate) trait RowUpdate<const TENSORS: usize>: Sync {
    /// Changes the row's values in each tensor by the sum of its gradients.
    fn apply_to_row(&self, values: [&mut [f32]; TENSORS], grad: &[f32]);
}

/// A step of an optimizer on values and their state.
impl RowUpdate<2> for Update {
    #[inline(always)]
    fn apply_to_row(&self, [values, state]: [&mut [f32]; 2], grad: &[f32]) {
        self.apply(values, state, grad);
    }
}

/// Writes the sum of a row's gradients down.
pub(crate) struct WriteSum;

impl RowUpdate<1> for WriteSum {
    #[inline(always)]
    fn apply_to_row(&self, [sum]: [&mut [f32]; 1], grad: &[f32]) {
        sum.copy_from_slice(grad);
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn run<const WIDTH: usize, const TENSORS: usize>(
    mut piece: Piece<TENSORS>,
    grads: &LookedUp,
    far: bool,
    update: &impl RowUpdate<TENSORS>,
) {
    let dim = width::<WIDTH>(grads.dim);
    let mut sum = vec![0f32; dim];
    let mut rest = piece.entries;
    while let [entry, ..] = *rest {
        if let Some(&next) = rest.get(ROWS_AHEAD) {
            let (slice, at) = grads.at(next);
            prefetch(slice, at, dim);
            if far {
                for (values, len) in &piece.tensors {
                    prefetch(values, (row_of(next) - piece.first_row) * len, *len);
                }
            }
        }
        let grad = next_row::<WIDTH>(entry, &mut rest, grads, &mut sum);
        update.apply_to_row(piece.row(row_of(entry)), grad);
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn run_all_rows<const WIDTH: usize, const TENSORS: usize>(
    mut piece: Piece<TENSORS>,
    grads: &LookedUp,
    update: &impl RowUpdate<TENSORS>,
) {
    let dim = width::<WIDTH>(grads.dim);
    let (zeros, mut sum) = (vec![0f32; dim], vec![0f32; dim]);
    let rows = piece.tensors[0].0.len() / dim.max(1);
    let mut rest = piece.entries;
    for row in piece.first_row..piece.first_row + rows {
        let grad = match *rest {
            [entry, ..] if row_of(entry) == row => next_row::<WIDTH>(entry, &mut rest, grads, &mut sum),
            _ => &zeros[..dim],
        };
        update.apply_to_row(piece.row(row), grad);
    }
}

impl<const TENSORS: usize> Piece<'_, TENSORS> {
    /// Updates every row of the piece that was looked up, once. Of tensors that are `far`, rows are asked for early.
    pub fn run<const WIDTH: usize>(self, grads: &LookedUp, far: bool, update: &impl RowUpdate<TENSORS>) {
        run::<WIDTH, TENSORS>(self, grads, far, update);
    }

    /// The same for every row of the piece: the gradient of one that was not looked up is zero.
    pub fn run_all_rows<const WIDTH: usize>(self, grads: &LookedUp, update: &impl RowUpdate<TENSORS>) {
        run_all_rows::<WIDTH, TENSORS>(self, grads, update);
    }

    /// The values of a row of the piece.
    #[inline(always)]
    fn row(&mut self, row: usize) -> [&mut [f32]; TENSORS] {
        self.tensors.each_mut().map(|(values, len)| {
            let at = (row - self.first_row) * *len;
            &mut values[at..at + *len]
        })
    }
}

/// Takes the entries of the row of `first`, which is the first of `rest`; the sum of their gradients.
#[inline(always)]
fn next_row<'a, const WIDTH: usize>(
    first: u64,
    rest: &mut &[u64],
    grads: &'a LookedUp,
    sum: &'a mut [f32],
) -> &'a [f32] {
    let dim = width::<WIDTH>(grads.dim);
    let others = &rest[1..];
    let count = others.iter().take_while(|entry| row_of(**entry) == row_of(first)).count();
    *rest = &others[count..];
    if count == 0 {
        return &grads.row(first)[..dim];
    }
    sum[..dim].copy_from_slice(&grads.row(first)[..dim]);
    for &entry in &others[..count] {
        sum[..dim].iter_mut().zip(&grads.row(entry)[..dim]).for_each(|(sum, grad)| *sum += grad);
    }
    &sum[..dim]
}

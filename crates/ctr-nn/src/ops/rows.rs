//! Which rows of a parameter an update touches.

use super::prefetch::{self, ROWS_AHEAD, prefetch};
use candle_core::{Result, bail};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;

/// The rows (slices along the first dimension) of a parameter that one optimizer step updates.
#[derive(Debug, Clone)]
pub enum Rows {
    /// Every row; the gradient has the parameter's shape.
    All,
    /// Row `i` of the gradient belongs to row `ids[i]` of the parameter; ids are distinct, other rows do not move.
    Scattered(Arc<[u32]>),
    /// Only these rows of a gradient that has the parameter's shape. Replicas without samples left are kept out so.
    Active(Arc<[u32]>),
}

/// Values to update from which on pieces are updated in parallel.
const PARALLEL_VALUES: usize = 1 << 16;
/// Pieces that a parameter is cut into then.
const PIECES: usize = 4;

impl Rows {
    /// Calls `update(values, row, gradient row)` for each row to update; `values` are the row's `row_len` values in each of
    /// `tensors`, which all have `rows` rows.
    ///
    /// A large update of scattered rows is cut by ranges of rows, and each piece looks through all ids for its own: pieces
    /// share no row, so they run in parallel and the number of threads changes nothing. The other selections are those of
    /// replicas, whose updates already run in parallel: there a second level would let a waiting thread start another chunk
    /// of users within the first one's time.
    pub(crate) fn update<const TENSORS: usize>(
        &self,
        tensors: [&mut [f32]; TENSORS],
        rows: usize,
        row_len: usize,
        update: impl Fn([&mut [f32]; TENSORS], usize, usize) + Sync,
    ) -> Result<()> {
        let touched = match self {
            Rows::All => rows,
            Rows::Scattered(ids) | Rows::Active(ids) => {
                if let Some(id) = ids.iter().find(|id| **id as usize >= rows) {
                    bail!("row {id} is out of range for a parameter of {rows} rows");
                }
                ids.len()
            }
        };
        if touched * row_len < PARALLEL_VALUES || !matches!(self, Rows::Scattered(_)) {
            self.update_piece(tensors, 0..rows, row_len, &update);
            return Ok(());
        }
        let piece_rows = rows.div_ceil(PIECES);
        let mut pieces: Vec<(Range<usize>, [&mut [f32]; TENSORS])> = Vec::with_capacity(PIECES);
        let mut rest = tensors;
        for start in (0..rows).step_by(piece_rows) {
            let end = rows.min(start + piece_rows);
            let mut behind = Vec::with_capacity(TENSORS);
            let piece = rest.map(|values| {
                let (piece, tail) = values.split_at_mut((end - start) * row_len);
                behind.push(tail);
                piece
            });
            pieces.push((start..end, piece));
            let mut behind = behind.into_iter();
            rest = std::array::from_fn(|_| behind.next().unwrap_or_default());
        }
        pieces.into_par_iter().for_each(|(range, piece)| self.update_piece(piece, range, row_len, &update));
        Ok(())
    }

    /// The updates of the rows in `range`, whose values are `tensors`.
    fn update_piece<const TENSORS: usize>(
        &self,
        mut tensors: [&mut [f32]; TENSORS],
        range: Range<usize>,
        row_len: usize,
        update: &impl Fn([&mut [f32]; TENSORS], usize, usize),
    ) {
        let one = |tensors: &mut [&mut [f32]; TENSORS], row: usize, gradient_row: usize| {
            let at = (row - range.start) * row_len;
            update(tensors.each_mut().map(|values| &mut values[at..at + row_len]), row, gradient_row);
        };
        match self {
            Rows::All => range.clone().for_each(|row| one(&mut tensors, row, row)),
            Rows::Scattered(ids) => {
                let ahead = if tensors.iter().any(|values| prefetch::pays(values)) { ROWS_AHEAD } else { ids.len() };
                for (i, &id) in ids.iter().enumerate() {
                    if let Some(&next) = ids.get(i + ahead)
                        && range.contains(&(next as usize))
                    {
                        tensors
                            .iter()
                            .for_each(|values| prefetch(values, (next as usize - range.start) * row_len, row_len));
                    }
                    if range.contains(&(id as usize)) {
                        one(&mut tensors, id as usize, i);
                    }
                }
            }
            Rows::Active(ids) => {
                for &id in ids.iter().filter(|id| range.contains(&(**id as usize))) {
                    one(&mut tensors, id as usize, id as usize);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Large enough for pieces, rows that do not divide by them, ids in no order.
    #[test]
    fn pieces_update_what_one_pass_does() {
        let (rows, row_len) = (10_007, 16);
        let ids: Arc<[u32]> = (0..rows as u32).filter(|id| id % 3 != 1).map(|id| id * 7919 % 10_007).collect();
        assert!(ids.len() * row_len > PARALLEL_VALUES);
        for selection in [Rows::All, Rows::Scattered(ids.clone()), Rows::Active(ids)] {
            let start: Vec<f32> = (0..rows * row_len).map(|i| i as f32).collect();
            let (mut a, mut b) = (start.clone(), start.clone());
            let update = |[a, b]: [&mut [f32]; 2], row: usize, from: usize| {
                a.iter_mut().for_each(|a| *a += row as f32);
                b.iter_mut().for_each(|b| *b -= from as f32);
            };
            selection.update([&mut a, &mut b], rows, row_len, update).expect("rows in range");
            let (mut c, mut d) = (start.clone(), start);
            selection.update_piece([&mut c, &mut d], 0..rows, row_len, &update);
            assert!(a == c && b == d);
        }
        let message = Rows::Active([5].into()).update([&mut [0.0; 4]], 4, 1, |_, _, _| {}).unwrap_err().to_string();
        assert!(message.contains("row 5 is out of range"), "{message}");
    }
}

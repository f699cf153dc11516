//! Which rows of a parameter an update touches.

use candle_core::{Result, bail};
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

impl Rows {
    /// Calls `update(parameter start, gradient start)` for each row to update, `row_len` values long.
    pub(crate) fn for_each(&self, mut update: impl FnMut(usize, usize), rows: usize, row_len: usize) -> Result<()> {
        match self {
            Rows::All => (0..rows).for_each(|row| update(row * row_len, row * row_len)),
            Rows::Scattered(ids) => {
                for (i, &id) in ids.iter().enumerate() {
                    if id as usize >= rows {
                        bail!("row {id} is out of range for a parameter of {rows} rows");
                    }
                    update(id as usize * row_len, i * row_len);
                }
            }
            Rows::Active(active) => {
                for &id in active.iter() {
                    if id as usize >= rows {
                        bail!("row {id} is out of range for a parameter of {rows} rows");
                    }
                    update(id as usize * row_len, id as usize * row_len);
                }
            }
        }
        Ok(())
    }
}

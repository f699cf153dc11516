//! Which rows of a parameter an update touches.

use candle_core::{Result, bail};
use std::sync::Arc;

/// The rows (slices along the first dimension) of a parameter that one optimizer step updates. The gradient has the
/// parameter's shape.
#[derive(Debug, Clone)]
pub enum Rows {
    /// Every row.
    All,
    /// Only these rows, in ascending order; the others do not move. Replicas without samples left are kept out so.
    Active(Arc<[u32]>),
}

impl Rows {
    /// Refuses rows that a parameter of `rows` rows has not, and rows named twice, which on a GPU two threads would update at once.
    ///
    /// # Errors
    /// If they are not in ascending order, or one is not among the `rows` rows of the parameter.
    pub(crate) fn check(&self, rows: usize) -> Result<()> {
        match self {
            Rows::All => Ok(()),
            Rows::Active(active) => {
                if let Some(pair) = active.windows(2).find(|pair| pair[0] >= pair[1]) {
                    bail!("rows {} and {} to update are not in ascending order", pair[0], pair[1]);
                }
                match active.last() {
                    Some(row) if *row as usize >= rows => {
                        bail!("row {row} is out of range for a parameter of {rows} rows")
                    }
                    _ => Ok(()),
                }
            }
        }
    }

    /// Calls `update(row)` for each of the `rows` rows to update.
    pub(crate) fn for_each(&self, rows: usize, mut update: impl FnMut(usize)) {
        match self {
            Rows::All => (0..rows).for_each(update),
            Rows::Active(active) => active.iter().for_each(|&row| update(row as usize)),
        }
    }
}

//! Which rows of a parameter an update touches.

use candle_core::{Result, bail};
use std::sync::Arc;

/// The rows (slices along the first dimension) of a parameter that one optimizer step updates. The gradient has the
/// parameter's shape.
#[derive(Debug, Clone)]
pub enum Rows {
    /// Every row.
    All,
    /// Only these rows, each named once; the others do not move. Replicas without samples left are kept out so.
    Active(Arc<[u32]>),
}

impl Rows {
    /// Refuses rows that a parameter of `rows` rows has not.
    ///
    /// # Errors
    /// If one of them is not among the `rows` rows of the parameter.
    pub(crate) fn check(&self, rows: usize) -> Result<()> {
        match self {
            Rows::All => Ok(()),
            Rows::Active(active) => match active.iter().find(|row| **row as usize >= rows) {
                Some(row) => bail!("row {row} is out of range for a parameter of {rows} rows"),
                None => Ok(()),
            },
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

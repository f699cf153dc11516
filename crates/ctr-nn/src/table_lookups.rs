//! Gradients of tables, look-up by look-up, beside candle's graph.
//!
//! A table that is a leaf of the graph gets a gradient of its own size. Training asks for less: one gradient row for
//! every look-up, whatever the table holds. So its tables stay outside the graph.

use crate::ops::{self, Backward};
use crate::row_gradients::RowGradients;
use candle_core::{DType, Device, Result, Tensor, Var, backprop::GradStore};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Takes the gradients of what was looked up. Clones share what they collect.
#[derive(Debug, Clone)]
pub struct TableLookUps {
    /// What nodes without any other input in the graph hang on.
    anchor: Var,
    collected: Arc<Mutex<Collected>>,
}

#[derive(Debug, Default)]
struct Collected {
    /// Table, ids and rows of look-ups that are leaves of the graph.
    leaves: Vec<(String, Tensor, Var)>,
    /// What nodes left here during the backward.
    by_table: BTreeMap<String, RowGradients>,
}

impl TableLookUps {
    /// Nothing looked up yet.
    ///
    /// # Errors
    /// If the device is out of memory.
    pub fn new(device: &Device) -> Result<Self> {
        Ok(Self { anchor: Var::zeros(1, DType::F32, device)?, collected: Arc::default() })
    }

    fn collected(&self) -> MutexGuard<'_, Collected> {
        self.collected.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rows of `table` (`[rows, dim]`) at `ids` (any shape) as a leaf of the graph, `[ids.shape…, dim]`.
    pub(crate) fn gather(&self, name: &str, table: &Tensor, ids: &Tensor) -> Result<Tensor> {
        let rows = ops::gather_rows_as_variable(table, ids)?;
        let gathered = rows.as_tensor().clone();
        self.collected().leaves.push((name.to_owned(), ids.clone(), rows));
        Ok(gathered)
    }

    /// What `compute` makes of the rows of `table` at `ids`, as one node; where the device has kernels.
    pub(crate) fn over_gathered(
        &self,
        name: &str,
        table: &Tensor,
        ids: &Tensor,
        compute: impl FnOnce(&Tensor) -> Result<(Tensor, Backward)>,
    ) -> Result<Tensor> {
        let (value, backward) = compute(&ops::gather_rows(&table.detach(), ids)?)?;
        let (lookups, name, ids) = (self.clone(), name.to_owned(), ids.clone());
        let leave = move |grad: &Tensor| {
            lookups.leave(&name, &ids, backward(grad)?);
            Ok(None)
        };
        ops::precomputed(self.anchor(), value, Box::new(leave))
    }

    /// What nodes without any other input in the graph hang on.
    pub(crate) fn anchor(&self) -> &Tensor {
        self.anchor.as_tensor()
    }

    /// Takes the gradients of the rows of a table at `ids`, from a backward.
    pub(crate) fn leave(&self, table: &str, ids: &Tensor, grads: Tensor) {
        self.collected().by_table.entry(table.to_owned()).or_default().push(ids.clone(), grads);
    }

    /// Takes the gradients of everything looked up since the last call; `grads` is what the backward returned.
    pub fn take(&self, grads: &mut GradStore) -> BTreeMap<String, RowGradients> {
        let Collected { leaves, mut by_table } = std::mem::take(&mut *self.collected());
        for (name, ids, rows) in leaves {
            if let Some(grad) = grads.remove(rows.as_tensor()) {
                by_table.entry(name).or_default().push(ids, grad);
            }
        }
        by_table
    }
}

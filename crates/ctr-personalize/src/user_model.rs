//! One user's fine-tuned copy, kept to rank candidates request by request.

use candle_core::{Device, Result, Tensor, bail};
use ctr_nn::{Batch, BatchLayout, Context, CtrModel, FieldSlots, Leaves, PADDING_ROW};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// The model that one user's device holds: the cloud's tables with the user's own rows in place, and the user's dense
/// weights. Made once by [`FineTuner::user_model`](crate::FineTuner::user_model); a request builds nothing but its inputs.
pub struct UserModel<'a> {
    pub(crate) model: &'a dyn CtrModel,
    pub(crate) leaves: Leaves,
    pub(crate) slots: FieldSlots,
    pub(crate) history_length: usize,
    /// Rows of the tables.
    pub(crate) table_rows: usize,
    pub(crate) device: &'a Device,
}

/// Least values (of [`CtrModel::values_per_sample`]) and candidates of a part of a request.
const VALUES_PER_PIECE: usize = 1 << 17;
const CANDIDATES_PER_PIECE: usize = 24;

impl UserModel<'_> {
    /// The copy's values by name, tables whole.
    pub fn parameters(&self) -> BTreeMap<String, Tensor> {
        self.leaves.iter().map(|(name, tensor)| (name.to_owned(), tensor.clone())).collect()
    }

    /// Logits of the candidates of one request.
    ///
    /// `ids` holds the candidates' look-ups as [`ctr_data::Dataset::append_lookups`] makes them, padded with [`PADDING_ROW`],
    /// row by row; `history` the user's last items, oldest first, of which the last `history_length` count. Models without
    /// histories do not read it.
    ///
    /// # Errors
    /// If `ids` is no whole number of candidates or an id is not one of the dataset's.
    pub fn score(&self, ids: &[u32], history: &[u32]) -> Result<Vec<f32>> {
        let lookups = self.slots.total();
        if ids.is_empty() || !ids.len().is_multiple_of(lookups) {
            bail!("{} ids are no whole number of candidates of {lookups} look-ups", ids.len());
        }
        // A kernel would read nothing there instead of failing.
        if let Some(id) = ids.iter().chain(history).find(|id| **id as usize >= self.table_rows && **id != PADDING_ROW) {
            bail!("id {id} is out of range for tables of {} rows", self.table_rows);
        }
        let candidates = ids.len() / lookups;
        let pieces = if self.device.is_cpu() { self.pieces(candidates) } else { 1 };
        if pieces == 1 {
            return self.score_piece(ids, history);
        }
        let pieces = ids.par_chunks(candidates.div_ceil(pieces) * lookups);
        Ok(pieces.map(|ids| self.score_piece(ids, history)).collect::<Result<Vec<_>>>()?.concat())
    }

    /// Parts of a request that are scored in parallel on the caller's rayon pool: as many as have work enough to be worth a
    /// hand-over to another thread. They depend on the model and the request only, so the number of threads changes nothing.
    fn pieces(&self, candidates: usize) -> usize {
        let of_work = candidates * self.model.values_per_sample() / VALUES_PER_PIECE;
        of_work.min(candidates / CANDIDATES_PER_PIECE).max(1)
    }

    fn score_piece(&self, ids: &[u32], history: &[u32]) -> Result<Vec<f32>> {
        let history_length = if self.model.uses_history() { self.history_length } else { 0 };
        let seen = &history[history.len().saturating_sub(history_length)..];
        let mut row = vec![PADDING_ROW; history_length];
        row[..seen.len()].copy_from_slice(seen);
        let history = row.repeat(ids.len() / self.slots.total());
        let layout = BatchLayout { replicas: 1, slots: self.slots.clone(), history_length };
        let batch = Batch::new(ids.to_vec(), history, &layout, self.device)?;
        self.model.forward(&self.leaves, &batch, &mut Context::inference())?.flatten_all()?.to_vec1()
    }
}

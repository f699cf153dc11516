//! One user's fine-tuned copy, kept to rank candidates request by request.

use candle_core::{Device, Result, Tensor, bail};
use ctr_nn::{Batch, Context, CtrModel, Leaves, PADDING_ROW};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// The model that one user's device holds: the cloud's tables with the user's own rows in place, and the user's dense
/// weights. Made once by [`FineTuner::user_model`](crate::FineTuner::user_model); a request builds nothing but its inputs.
pub struct UserModel<'a> {
    pub(crate) model: &'a dyn CtrModel,
    pub(crate) leaves: Leaves,
    pub(crate) fields: usize,
    pub(crate) history_length: usize,
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
    /// `ids` holds the candidates' global ids, `[candidates, fields]`, row by row; `history` the user's last items, oldest
    /// first, of which the last `history_length` count. Models without histories do not read it.
    ///
    /// # Errors
    /// If `ids` is no whole number of candidates or an id is not one of the dataset's.
    pub fn score(&self, ids: &[u32], history: &[u32]) -> Result<Vec<f32>> {
        if ids.is_empty() || !ids.len().is_multiple_of(self.fields) {
            bail!("{} ids are no whole number of candidates of {} fields", ids.len(), self.fields);
        }
        let candidates = ids.len() / self.fields;
        let pieces = if self.device.is_cpu() { self.pieces(candidates) } else { 1 };
        if pieces == 1 {
            return self.score_piece(ids, history);
        }
        let pieces = ids.par_chunks(candidates.div_ceil(pieces) * self.fields);
        Ok(pieces.map(|ids| self.score_piece(ids, history)).collect::<Result<Vec<_>>>()?.concat())
    }

    /// Parts of a request that are scored in parallel on the caller's rayon pool: as many as have work enough to be worth a
    /// hand-over to another thread. They depend on the model and the request only, so the number of threads changes nothing.
    fn pieces(&self, candidates: usize) -> usize {
        let of_work = candidates * self.model.values_per_sample() / VALUES_PER_PIECE;
        of_work.min(candidates / CANDIDATES_PER_PIECE).max(1)
    }

    fn score_piece(&self, ids: &[u32], history: &[u32]) -> Result<Vec<f32>> {
        let candidates = ids.len() / self.fields;
        let ids = Tensor::from_slice(ids, (1, candidates, self.fields), self.device)?;
        let (history, history_mask) = if self.model.uses_history() {
            let seen = &history[history.len().saturating_sub(self.history_length)..];
            let mut row = vec![PADDING_ROW; self.history_length];
            row[..seen.len()].copy_from_slice(seen);
            let mut mask = vec![0f32; self.history_length];
            mask[..seen.len()].fill(1.0);
            let shape = (1, candidates, self.history_length);
            (
                Some(Tensor::from_vec(row.repeat(candidates), shape, self.device)?),
                Some(Tensor::from_vec(mask.repeat(candidates), shape, self.device)?),
            )
        } else {
            (None, None)
        };
        let batch = Batch { ids, history, history_mask };
        self.model.forward(&self.leaves, &batch, &mut Context::inference())?.flatten_all()?.to_vec1()
    }
}

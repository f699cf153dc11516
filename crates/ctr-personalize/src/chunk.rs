//! The samples of a few users, with ids replaced by rows of the chunk's own table leaves.

use crate::{UserTask, row_map::RowMapPool};
use candle_core::{Device, Result, Tensor};
use ctr_data::Dataset;
use ctr_nn::{Batch, BatchLayout, FieldSlots, PADDING_ROW};
use rayon::prelude::*;
use std::ops::Range;

/// Users below which encoding them is not worth a hand-over to another thread.
const USERS_PER_PIECE: usize = 64;

/// One user's samples, local ones first, then those to be ranked.
struct EncodedUser {
    /// Row of the user's leaf per look-up, `[samples, look-ups]`.
    ids: Vec<u32>,
    /// The same for the history, `[samples, history_length]`, padded behind; empty if the model has none.
    history: Vec<u32>,
    /// Global id of each row of the user's leaf.
    rows: Vec<u32>,
    local_len: usize,
    judged_len: usize,
}

/// A chunk of users, one replica each.
pub(crate) struct EncodedChunk {
    users: Vec<EncodedUser>,
    /// Rows per replica: the most that any user of the chunk touches.
    pub rows_per_replica: usize,
    slots: FieldSlots,
    /// 0 if the model has no history.
    history_length: usize,
}

impl EncodedChunk {
    pub fn new(dataset: &Dataset, tasks: &[&UserTask], uses_history: bool, row_maps: &RowMapPool) -> Self {
        let slots = FieldSlots::new(&dataset.lookups_by_field());
        let history_length = if uses_history { dataset.history_length } else { 0 };
        let encode = |task: &&UserTask| {
            row_maps.with(|map| {
                let samples = task.local.len() + task.judged.len();
                let mut ids = Vec::with_capacity(samples * slots.total());
                let mut history = Vec::with_capacity(samples * history_length);
                for &sample in task.local.iter().chain(&task.judged) {
                    // Without lists in one pass, which small models feel (docs/performance.md).
                    if dataset.lists.is_empty() {
                        ids.extend(dataset.sample_ids(sample as usize).iter().map(|&id| map.leaf_row(id)));
                    } else {
                        let start = ids.len();
                        dataset.append_lookups(sample as usize, PADDING_ROW, &mut ids);
                        ids[start..].iter_mut().filter(|id| **id != PADDING_ROW).for_each(|id| *id = map.leaf_row(*id));
                    }
                    if uses_history {
                        let end = history.len() + history_length;
                        history.extend(dataset.history(sample as usize).iter().map(|&id| map.leaf_row(id)));
                        history.resize(end, PADDING_ROW);
                    }
                }
                let rows = map.rows().to_vec();
                EncodedUser { ids, history, rows, local_len: task.local.len(), judged_len: task.judged.len() }
            })
        };
        let users: Vec<EncodedUser> = tasks.par_iter().with_min_len(USERS_PER_PIECE).map(encode).collect();
        let rows_per_replica = users.iter().map(|user| user.rows.len()).max().unwrap_or(0);
        Self { users, rows_per_replica, slots, history_length }
    }

    /// Global id of every leaf row, `[replicas * rows_per_replica]`; padding rows read zeros.
    pub fn global_rows(&self, device: &Device) -> Result<Tensor> {
        let mut rows = Vec::with_capacity(self.users.len() * self.rows_per_replica);
        for user in &self.users {
            let end = rows.len() + self.rows_per_replica;
            rows.extend_from_slice(&user.rows);
            rows.resize(end, PADDING_ROW);
        }
        let len = rows.len();
        Tensor::from_vec(rows, len, device)
    }

    /// The samples to rank of these users, padded to the longest.
    pub fn judged_batch(&self, range: Range<usize>, device: &Device) -> Result<Batch> {
        let users = &self.users[range.clone()];
        let longest = users.iter().map(|user| user.judged_len).max().unwrap_or(0);
        let judged: Vec<Vec<u32>> =
            users.iter().map(|u| (u.local_len as u32..(u.local_len + u.judged_len) as u32).collect()).collect();
        let slices: Vec<&[u32]> = judged.iter().map(Vec::as_slice).collect();
        self.batch(range.start, &slices, longest, device)
    }

    /// The samples at these positions of the users from `first` on (their local samples come first), padded to `batch_len`. Ids
    /// count from the first of these users' rows.
    pub fn batch(&self, first: usize, positions: &[&[u32]], batch_len: usize, device: &Device) -> Result<Batch> {
        let replicas = positions.len();
        let (lookups, length) = (self.slots.total(), self.history_length);
        let mut ids = vec![PADDING_ROW; replicas * batch_len * lookups];
        let mut history = vec![PADDING_ROW; replicas * batch_len * length];
        let fill = |replica: usize, width: usize, own: &mut [u32], of_user: fn(&EncodedUser) -> &[u32]| {
            let offset = (replica * self.rows_per_replica) as u32;
            let rows = of_user(&self.users[first + replica]);
            for (own, &position) in own.chunks_exact_mut(width).zip(positions[replica]) {
                for (own, &row) in own.iter_mut().zip(&rows[position as usize * width..][..width]) {
                    *own = if row == PADDING_ROW { PADDING_ROW } else { row + offset };
                }
            }
        };
        let by_replica = |all: &mut Vec<u32>, width: usize, of_user: fn(&EncodedUser) -> &[u32]| {
            if batch_len * width > 0 {
                let each = all.par_chunks_mut(batch_len * width).with_min_len(USERS_PER_PIECE).enumerate();
                each.for_each(|(replica, own)| fill(replica, width, own, of_user));
            }
        };
        by_replica(&mut ids, lookups, |user| &user.ids);
        by_replica(&mut history, length, |user| &user.history);
        let layout = BatchLayout { replicas, slots: self.slots.clone(), history_length: length };
        Batch::new(ids, history, &layout, device)
    }
}

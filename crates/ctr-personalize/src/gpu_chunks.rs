//! Chunks on a GPU: as many users as its memory holds, several chunks at a time, so that some are prepared while others compute.

use crate::fine_tune::ChunkResult;
use crate::prepared::PreparedChunk;
use crate::{FineTuner, Method, Tasks, UserTask};
use candle_core::Result;
use ctr_nn::{Kind, free_device_bytes, is_out_of_memory};
use rayon::prelude::*;
use std::time::Instant;

/// Users beyond which a chunk is not faster (docs/performance.md).
const MOST_USERS: usize = 4096;
/// Users below which a GPU is not busy.
const FEWEST_USERS: usize = 256;
/// Chunks of a pass, so that some are prepared and launched while others are computed.
const CHUNKS_PER_PASS: usize = 2;
/// Users of a chunk where results must not depend on the memory that is free.
const FIXED_USERS: usize = 1024;
/// What one chunk may take of the free memory: several may be there at once, and estimates err.
const SHARE_OF_FREE_MEMORY: u64 = 8;
/// What it may take where the device does not tell what is free, bytes.
const BYTES_IF_UNKNOWN: u64 = 1 << 30;

impl FineTuner<'_> {
    /// Users of a chunk on this GPU: as configured, a constant in deterministic runs, else by the free memory.
    pub(crate) fn gpu_chunk_users(&self, tasks: &Tasks) -> Result<usize> {
        if let Some(users) = self.config.chunk_users {
            return Ok(users);
        }
        if self.config.deterministic {
            return Ok(FIXED_USERS);
        }
        let free = free_device_bytes(self.device)?.map_or(BYTES_IF_UNKNOWN, |free| free / SHARE_OF_FREE_MEMORY);
        let fitting = usize::try_from(free / self.bytes_per_user(tasks).max(1)).unwrap_or(MOST_USERS);
        let in_time = tasks.users.len().div_ceil(CHUNKS_PER_PASS).clamp(FEWEST_USERS, MOST_USERS);
        Ok(fitting.clamp(1, in_time))
    }

    /// What a user takes on the device at most: weights, rows and their optimizer state, and what passes leave for the backward.
    fn bytes_per_user(&self, tasks: &Tasks) -> u64 {
        let most = |len: fn(&UserTask) -> usize| tasks.users.iter().map(len).max().unwrap_or(0);
        let (local, judged) = (most(|task| task.local.len()), most(|task| task.judged.len()));
        let history = if self.model.uses_history() { self.dataset.history_length } else { 0 };
        let lookups = self.dataset.lookups_by_field().iter().sum::<usize>() + history;
        let rows = ((local + judged) * lookups).min(self.dataset.table_rows());
        let of_kind = |kind, size: fn(&ctr_nn::ParameterSpec) -> usize| -> usize {
            self.cloud.specs().iter().filter(|spec| spec.kind == kind).map(size).sum()
        };
        let dense = of_kind(Kind::Dense, |spec| spec.len());
        let row_values = of_kind(Kind::Table, |spec| spec.shape[1]);
        // Value, gradient and two moments.
        let parameters = 4 * (dense + rows * row_values);
        let passes = (2 * self.config.batch_size + judged) * self.model.values_per_sample();
        let inputs = (local * self.config.epochs + judged) * (2 * lookups + 2);
        ((parameters + passes + inputs) * size_of::<f32>()) as u64
    }

    /// Runs the users in this order, in chunks that several threads prepare and launch; the device's one stream computes them one
    /// after the other. A chunk for which memory is short is halved and goes on; the second result is the smallest chunk's users.
    pub(crate) fn run_on_gpu(
        &self,
        order: &[&UserTask],
        chunk_users: usize,
        method: &Method,
        seed: u64,
    ) -> Result<(Vec<ChunkResult>, usize)> {
        let chunks: Result<Vec<(Vec<ChunkResult>, usize)>> =
            order.par_chunks(chunk_users).map(|users| self.run_or_halve(users, method, seed)).collect();
        let mut results = Vec::new();
        let mut smallest = chunk_users;
        for (of_chunk, users) in chunks? {
            results.extend(of_chunk);
            smallest = smallest.min(users);
        }
        Ok((results, smallest))
    }

    /// The results of a chunk, or of its halves, and the users of the smallest that was tried; `chunk_users` counts where nothing
    /// was halved.
    fn run_or_halve(&self, users: &[&UserTask], method: &Method, seed: u64) -> Result<(Vec<ChunkResult>, usize)> {
        let started = Instant::now();
        let attempt = || {
            let chunk = PreparedChunk::new(self, users.to_vec(), method, seed).copied_to(self.device)?;
            self.run_chunk(&chunk, method)
        };
        match attempt() {
            Ok(mut result) => {
                result.seconds_per_user = started.elapsed().as_secs_f32() / users.len() as f32;
                Ok((vec![result], usize::MAX))
            }
            // Only in runs that may depend on the memory that is free.
            Err(error) if is_out_of_memory(&error) && users.len() > 1 && !self.config.deterministic => {
                let (first, second) = users.split_at(users.len().div_ceil(2));
                let (mut results, smallest) = self.run_or_halve(first, method, seed)?;
                let (others, smallest_of_others) = self.run_or_halve(second, method, seed)?;
                results.extend(others);
                Ok((results, smallest.min(smallest_of_others).min(first.len())))
            }
            Err(error) => Err(error),
        }
    }
}

//! A chunk of users, ready to be fine-tuned.

use crate::chunk::EncodedChunk;
use crate::targets::{Targets, loss_inputs};
use crate::{FineTuner, Method, UserTask};
use candle_core::{Device, Result, Tensor};
use ctr_nn::Batch;
use rayon::prelude::*;
use std::ops::Range;

/// Users below which preparing them is not worth a hand-over to another thread.
const USERS_PER_PIECE: usize = 64;
/// Samples, padding included, below which a batch is not worth cutting.
const FEW_PADDED_SAMPLES: usize = 1 << 14;

/// The users of a chunk with their encoded samples, their corrected labels and the order of their steps.
pub(crate) struct PreparedChunk<'t> {
    pub users: Vec<&'t UserTask>,
    /// Users with a clamped local CTR.
    pub clamped: u64,
    encoded: EncodedChunk,
    targets: Vec<Targets>,
    /// Positions of each user's local samples in training order, epoch after epoch.
    orders: Vec<Vec<u32>>,
    batch_size: usize,
    epochs: usize,
    /// Whether a step may leave out users without samples: not where their gradients and state have the shape of all users'.
    steps_alone: bool,
    on_device: Option<OnDevice>,
}

/// Everything that the chunk's passes read, copied ahead of them.
struct OnDevice {
    global_rows: Tensor,
    steps: Vec<StepInputs>,
    offsets: Option<Tensor>,
    judged: Vec<JudgedBatch>,
}

/// Samples to rank of some of the users, padded to the longest.
#[derive(Clone)]
pub(crate) struct JudgedBatch {
    /// Which users of the chunk.
    pub users: Range<usize>,
    pub batch: Batch,
}

/// Inputs of one step.
#[derive(Clone)]
pub(crate) struct StepInputs {
    pub batch: Batch,
    /// Users that take part, from the first on: all of the chunk, or on a GPU those that have samples left.
    pub users: usize,
    /// `[users, batch_len]`.
    pub labels: Tensor,
    /// `[users, batch_len]`, 0 on padding.
    pub weights: Tensor,
    /// Users that have samples in this step.
    pub active: Vec<usize>,
}

impl<'t> PreparedChunk<'t> {
    /// Encodes and corrects the samples of these users.
    pub fn new(tuner: &FineTuner, users: Vec<&'t UserTask>, method: &Method, seed: u64) -> Self {
        let encoded = EncodedChunk::new(tuner.dataset, &users, tuner.model.uses_history(), &tuner.row_maps);
        let each = || users.par_iter().with_min_len(USERS_PER_PIECE);
        let (targets, clamped): (Vec<Targets>, Vec<bool>) = each()
            .map(|task| {
                let corrected = tuner.correct(task, method);
                let clamped = corrected.used_shrunk_ctr;
                (Targets::new(corrected), clamped)
            })
            .unzip();
        let orders = each().map(|task| tuner.sample_order(task, seed)).collect();
        let clamped = clamped.into_iter().map(u64::from).sum();
        let (batch_size, epochs) = (tuner.config.batch_size, tuner.config.epochs);
        let steps_alone = tuner.descends(method);
        Self { users, clamped, encoded, targets, orders, batch_size, epochs, steps_alone, on_device: None }
    }

    /// Copies all inputs to the device, so that the passes wait for nothing.
    ///
    /// # Errors
    /// If the device is out of memory.
    pub fn copied_to(mut self, device: &Device) -> Result<Self> {
        let steps = (0..self.steps()).map(|step| self.step(step, device)).collect::<Result<_>>()?;
        let (global_rows, offsets) = (self.global_rows(device)?, self.offsets(device)?);
        let judged = self.judged_batches(device)?;
        self.on_device = Some(OnDevice { global_rows, steps, offsets, judged });
        Ok(self)
    }

    /// Steps of the user who has most.
    pub fn steps(&self) -> usize {
        self.users.iter().map(|task| self.steps_per_epoch(task)).max().unwrap_or(0) * self.epochs
    }

    fn steps_per_epoch(&self, task: &UserTask) -> usize {
        task.local.len().div_ceil(self.batch_size)
    }

    /// Positions of a user's samples in one step; none once the user's samples are used up.
    fn positions(&self, user: usize, step: usize) -> &[u32] {
        let (len, per_epoch) = (self.users[user].local.len(), self.steps_per_epoch(self.users[user]));
        let epoch = step / per_epoch.max(1);
        if epoch >= self.epochs {
            return &[];
        }
        let begin = step % per_epoch * self.batch_size;
        &self.orders[user][epoch * len..][begin..len.min(begin + self.batch_size)]
    }

    /// Inputs of a step.
    ///
    /// # Errors
    /// If the device is out of memory.
    pub fn step(&self, step: usize, device: &Device) -> Result<StepInputs> {
        if let Some(ready) = &self.on_device {
            return Ok(ready.steps[step].clone());
        }
        let users = self.users_in(step, device);
        let positions: Vec<&[u32]> = (0..users).map(|user| self.positions(user, step)).collect();
        let batch_len = positions.iter().map(|positions| positions.len()).max().unwrap_or(0);
        let batch = self.encoded.batch(0, &positions, batch_len, device)?;
        let (labels, weights) = loss_inputs(&positions, &self.targets, batch_len);
        Ok(StepInputs {
            batch,
            labels: Tensor::from_vec(labels, (users, batch_len), device)?,
            weights: Tensor::from_vec(weights, (users, batch_len), device)?,
            users,
            active: (0..users).filter(|&user| !positions[user].is_empty()).collect(),
        })
    }

    /// What is added to the logits in training, `[users, 1]`; nothing if that is 0 for all.
    ///
    /// # Errors
    /// If the device is out of memory.
    pub fn offsets(&self, device: &Device) -> Result<Option<Tensor>> {
        if let Some(ready) = &self.on_device {
            return Ok(ready.offsets.clone());
        }
        let offsets: Vec<f32> = self.targets.iter().map(|targets| targets.offset).collect();
        if offsets.iter().all(|offset| *offset == 0.0) {
            return Ok(None);
        }
        Tensor::from_vec(offsets, (self.users.len(), 1), device).map(Some)
    }

    /// Users that take part in a step: those up to the last who has samples left. On the CPU, where a chunk's users are few and
    /// alike, all.
    fn users_in(&self, step: usize, device: &Device) -> usize {
        let all = self.users.len();
        if device.is_cpu() || !self.steps_alone {
            return all;
        }
        (0..all).rev().find(|&user| !self.positions(user, step).is_empty()).map_or(1, |last| last + 1)
    }

    /// The samples to rank of every user: on the CPU in one batch, on a GPU in as many as keep padding low.
    ///
    /// # Errors
    /// If the device is out of memory.
    pub fn judged_batches(&self, device: &Device) -> Result<Vec<JudgedBatch>> {
        if let Some(ready) = &self.on_device {
            return Ok(ready.judged.clone());
        }
        let all = 0..self.users.len();
        let ranges = if device.is_cpu() { vec![all] } else { self.ranges_of_like_users() };
        let batch =
            |users: Range<usize>| Ok(JudgedBatch { batch: self.encoded.judged_batch(users.clone(), device)?, users });
        ranges.into_iter().map(batch).collect()
    }

    /// Runs of users with about as many samples to rank: at most half as many again with padding, or few.
    fn ranges_of_like_users(&self) -> Vec<Range<usize>> {
        let mut ranges = Vec::new();
        let (mut begin, mut longest, mut samples) = (0, 0, 0);
        for (user, task) in self.users.iter().enumerate() {
            let own = task.judged.len();
            let (longest_with, padded) = (longest.max(own), longest.max(own) * (user + 1 - begin));
            if padded > FEW_PADDED_SAMPLES && 2 * padded > 3 * (samples + own) {
                ranges.push(begin..user);
                (begin, longest, samples) = (user, own, own);
            } else {
                (longest, samples) = (longest_with, samples + own);
            }
        }
        ranges.push(begin..self.users.len());
        ranges
    }

    /// Global id of every leaf row, `[replicas * rows_per_replica]`; padding rows read zeros.
    ///
    /// # Errors
    /// If the device is out of memory.
    pub fn global_rows(&self, device: &Device) -> Result<Tensor> {
        match &self.on_device {
            Some(ready) => Ok(ready.global_rows.clone()),
            None => self.encoded.global_rows(device),
        }
    }

    /// Rows of a table that each replica holds.
    pub fn rows_per_replica(&self) -> usize {
        self.encoded.rows_per_replica
    }
}

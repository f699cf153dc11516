//! The engine: many users fine-tuned at once, one replica each.

use crate::{
    Corrected, FineTuningConfig, LocalSet, Method, PersonalizeError, Tasks, UserModel, UserTask,
    prepared::PreparedChunk, replicas::Replicas, row_map::RowMapPool,
};
use candle_core::{Device, Tensor};
use ctr_data::Dataset;
use ctr_nn::{Algorithm, Context, CtrModel, FieldSlots, Kind, Leaves, Parameters, bce_backward, seeded_rng};
use rand::seq::SliceRandom;
use rayon::prelude::*;
use std::{ops::Range, time::Instant};

/// What fine-tuning starts from; shared by every method and protocol.
pub struct FineTuner<'a> {
    pub(crate) model: &'a dyn CtrModel,
    pub(crate) cloud: &'a Parameters,
    /// The cloud model's logits, by sample of the dataset.
    cloud_logits: &'a [f32],
    pub(crate) dataset: &'a Dataset,
    pub(crate) config: &'a FineTuningConfig,
    pub(crate) device: &'a Device,
    global_ctr: f64,
    pub(crate) row_maps: RowMapPool,
}

/// The result of one method over the users of a protocol.
#[derive(Debug, Clone, PartialEq)]
pub struct FineTuned {
    /// Logits of the samples to rank, in the order of [`Tasks::judged_samples`].
    pub logits: Vec<f32>,
    /// Each user's share of its chunk's seconds (encoding, fine-tuning and scoring), in task order; on a GPU, where chunks overlap,
    /// of those of all users.
    pub user_seconds: Vec<f32>,
    /// Users with one class locally, for whom the shrunk local CTR stood in.
    pub one_class_users_clamped: u64,
    /// Users of a chunk that was asked for, and of one in the end: fewer where a GPU ran out of memory.
    pub chunk_users: (usize, usize),
}

/// The result of one chunk.
pub(crate) struct ChunkResult {
    /// Logits of each user's samples to rank.
    pub logits: Vec<Vec<f32>>,
    clamped: u64,
    /// A user's share of the seconds.
    pub seconds_per_user: f32,
}

/// A chunk whose work is queued.
pub(crate) struct LaunchedChunk {
    scores: Scores,
    clamped: u64,
}

enum Scores {
    /// Logits of each user's samples to rank.
    Read(Vec<Vec<f32>>),
    /// Those of all users in one tensor, and where each user's lie in it.
    Joined { scores: Tensor, places: Vec<Range<usize>> },
}

impl LaunchedChunk {
    /// Waits for the device, once, and reads the scores.
    pub fn read(self) -> candle_core::Result<ChunkResult> {
        let logits = match self.scores {
            Scores::Read(logits) => logits,
            Scores::Joined { scores, places } => {
                let values = scores.to_vec1::<f32>()?;
                places.into_iter().map(|place| values[place].to_vec()).collect()
            }
        };
        Ok(ChunkResult { logits, clamped: self.clamped, seconds_per_user: 0.0 })
    }
}

impl<'a> FineTuner<'a> {
    /// An engine for one cloud model. `cloud_logits` holds its logits by sample of the dataset.
    pub fn new(
        model: &'a dyn CtrModel,
        cloud: &'a Parameters,
        cloud_logits: &'a [f32],
        dataset: &'a Dataset,
        config: &'a FineTuningConfig,
        device: &'a Device,
    ) -> Self {
        let row_maps = RowMapPool::new(dataset.table_rows());
        Self { model, cloud, cloud_logits, dataset, config, device, global_ctr: dataset.global_ctr(), row_maps }
    }

    /// Fine-tunes a copy for every user and scores the user's samples to rank with it.
    ///
    /// Users with similar numbers of steps share a chunk. On the CPU chunks run in parallel on the caller's rayon pool, and the
    /// number of threads changes no bit of a result; on a GPU they are launched one after the other, each while the next one is
    /// prepared. The chunk's company changes a user's scores by rounding at most.
    ///
    /// # Errors
    /// If a copy diverges or a tensor operation fails.
    pub fn run(&self, tasks: &Tasks, method: &Method, seed: u64) -> Result<FineTuned, PersonalizeError> {
        let mut order: Vec<usize> = (0..tasks.users.len()).collect();
        order.sort_by_key(|&i| (std::cmp::Reverse(tasks.users[i].local.len()), i));
        let users: Vec<&UserTask> = order.iter().map(|&i| &tasks.users[i]).collect();
        let (chunks, chunk_users) = if self.device.is_cpu() {
            let chunk_users = self.config.chunk_users(self.model);
            (self.run_on_cpu(&users, chunk_users, method, seed)?, (chunk_users, chunk_users))
        } else {
            let chunk_users = self.gpu_chunk_users(tasks)?;
            let (chunks, in_the_end) = self.run_on_gpu(&users, chunk_users, method, seed)?;
            (chunks, (chunk_users, in_the_end))
        };

        let ranges = tasks.judged_ranges();
        let mut logits = vec![0f32; ranges.last().map_or(0, |range| range.end)];
        let mut user_seconds = vec![0f32; tasks.users.len()];
        let one_class_users_clamped = chunks.iter().map(|chunk| chunk.clamped).sum();
        let of_users = chunks.into_iter().flat_map(|ChunkResult { logits, seconds_per_user, .. }| {
            logits.into_iter().map(move |logits| (logits, seconds_per_user))
        });
        for (&user, (scores, seconds)) in order.iter().zip(of_users) {
            if scores.iter().any(|logit| !logit.is_finite()) {
                return Err(self.diverged(&tasks.users[user], method));
            }
            logits[ranges[user].clone()].copy_from_slice(&scores);
            user_seconds[user] = seconds;
        }
        Ok(FineTuned { logits, user_seconds, one_class_users_clamped, chunk_users })
    }

    pub(crate) fn run_on_cpu(
        &self,
        order: &[&UserTask],
        chunk_users: usize,
        method: &Method,
        seed: u64,
    ) -> candle_core::Result<Vec<ChunkResult>> {
        let run = |users: &[&UserTask]| {
            let started = Instant::now();
            let mut result = self.run_chunk(&PreparedChunk::new(self, users.to_vec(), method, seed), method)?;
            result.seconds_per_user = started.elapsed().as_secs_f32() / users.len() as f32;
            Ok(result)
        };
        order.par_chunks(chunk_users).map(run).collect()
    }

    /// Fine-tunes one user's copy and keeps it for ranking.
    ///
    /// # Errors
    /// If the copy diverges or a tensor operation fails.
    pub fn user_model(&self, task: &UserTask, method: &Method, seed: u64) -> Result<UserModel<'a>, PersonalizeError> {
        let chunk = PreparedChunk::new(self, vec![task], method, seed);
        let replicas = Replicas::new(self, &chunk, method)?;
        self.tune(&chunk, &replicas)?;
        let rows = chunk.global_rows(self.device)?;
        let mut leaves = Leaves::default();
        for spec in self.cloud.specs() {
            let tuned = replicas.leaves.get(&spec.name)?.detach();
            if !tuned.sum_all()?.to_scalar::<f32>()?.is_finite() {
                return Err(self.diverged(task, method));
            }
            let value = match spec.kind {
                // Fine-tuned rows over the cloud's: `cloud + (tuned - cloud)` would round. Out of candle's graph, or every request
                // would make one.
                Kind::Table => self.cloud.get(&spec.name)?.as_detached_tensor().scatter(
                    &rows.unsqueeze(1)?.broadcast_as(tuned.shape())?.contiguous()?,
                    &tuned,
                    0,
                )?,
                Kind::Dense | Kind::Buffer => tuned,
            };
            leaves.insert(&spec.name, value);
        }
        let slots = FieldSlots::new(&self.dataset.lookups_by_field());
        let history_length = self.dataset.history_length;
        let table_rows = self.dataset.table_rows();
        Ok(UserModel { model: self.model, leaves, slots, history_length, table_rows, device: self.device })
    }

    fn diverged(&self, task: &UserTask, method: &Method) -> PersonalizeError {
        PersonalizeError::Diverged {
            user: self.dataset.user_keys[task.user as usize].clone(),
            method: method.name.clone(),
            learning_rate: self.config.optimizer.learning_rate,
        }
    }

    /// Fine-tunes the chunk's users and scores their samples to rank; the time is the caller's to take.
    fn run_chunk(&self, chunk: &PreparedChunk, method: &Method) -> candle_core::Result<ChunkResult> {
        self.launch(chunk, method)?.read()
    }

    /// The same without reading the scores, which on a GPU waits for all that was launched.
    pub(crate) fn launch(&self, chunk: &PreparedChunk, method: &Method) -> candle_core::Result<LaunchedChunk> {
        let replicas = Replicas::new(self, chunk, method)?;
        self.tune(chunk, &replicas)?;
        let clamped = chunk.clamped;
        if replicas.only_bias_moved() {
            let logits = self.shifted_cloud_logits(&chunk.users, &replicas.bias_shifts(self)?);
            return Ok(LaunchedChunk { scores: Scores::Read(logits), clamped });
        }
        let (mut scores, mut places, mut start) = (Vec::new(), Vec::with_capacity(chunk.users.len()), 0);
        for judged in chunk.judged_batches(self.device)? {
            let leaves = replicas.tuned_of(judged.users.clone())?;
            let logits = self.model.forward(&leaves, &judged.batch, &mut Context::inference())?;
            let longest = logits.dim(1)?;
            for task in &chunk.users[judged.users] {
                places.push(start..start + task.judged.len());
                start += longest;
            }
            scores.push(logits.flatten_all()?);
        }
        let scores = if let [only] = &scores[..] { only.clone() } else { Tensor::cat(&scores, 0)? };
        Ok(LaunchedChunk { scores: Scores::Joined { scores, places }, clamped })
    }

    /// The cloud's logits of each user's samples to rank, plus its own constant.
    fn shifted_cloud_logits(&self, users: &[&UserTask], shifts: &[f32]) -> Vec<Vec<f32>> {
        let of_user = |(task, &shift): (&&UserTask, &f32)| {
            let cloud: Vec<f32> = task.judged.iter().map(|&i| self.cloud_logits[i as usize]).collect();
            shift_keeping_order(&cloud, shift)
        };
        users.iter().zip(shifts).map(of_user).collect()
    }

    /// Whether the copies take steps of plain descent. These leave what has no gradient where it is, rows that a step does not look
    /// up and replicas without samples left, so they can be taken wherever a gradient appears.
    pub(crate) fn descends(&self, method: &Method) -> bool {
        self.config.optimizer.algorithm == Algorithm::Sgd && !method.l2_sp
    }

    pub(crate) fn correct(&self, task: &UserTask, method: &Method) -> Corrected {
        let labels: Vec<u8> = task.local.iter().map(|&i| self.dataset.samples.label[i as usize]).collect();
        let cloud_logits: Vec<f32> = task.local.iter().map(|&i| self.cloud_logits[i as usize]).collect();
        let local = LocalSet { labels: &labels, cloud_logits: &cloud_logits, global_ctr: self.global_ctr };
        (method.correction.apply)(&local, &self.config.correction)
    }

    fn tune(&self, chunk: &PreparedChunk, replicas: &Replicas) -> candle_core::Result<()> {
        let offsets = chunk.offsets(self.device)?;
        for step in 0..chunk.steps() {
            let inputs = chunk.step(step, self.device)?;
            let leaves = replicas.leaves_of(&inputs)?;
            let mut logits = self.model.forward(&leaves, &inputs.batch, &mut Context::inference())?;
            if let Some(offsets) = &offsets {
                logits = logits.broadcast_add(&offsets.narrow(0, 0, inputs.users)?)?;
            }
            // The backward of all replicas' losses is that of their sum.
            let grads = bce_backward(&logits, &inputs.labels, &inputs.weights)?;
            replicas.step(self, grads, step as u64 + 1, &inputs)?;
        }
        Ok(())
    }

    /// Positions of a user's local samples in training order, epoch after epoch.
    pub fn sample_order(&self, task: &UserTask, seed: u64) -> Vec<u32> {
        let mut rng = seeded_rng(seed, "local sample order", u64::from(task.user));
        let mut epoch: Vec<u32> = (0..task.local.len() as u32).collect();
        let mut order = Vec::with_capacity(epoch.len() * self.config.epochs);
        for _ in 0..self.config.epochs {
            epoch.shuffle(&mut rng);
            order.extend_from_slice(&epoch);
        }
        order
    }
}

/// `logit + shift` for every logit. A constant reorders nothing, but adding it in `f32` can make two logits equal; such
/// a pair is kept one unit in the last place apart, so that ranking within the user stays exactly what it was.
fn shift_keeping_order(logits: &[f32], shift: f32) -> Vec<f32> {
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|&a, &b| logits[a].total_cmp(&logits[b]));
    let mut shifted = vec![0f32; logits.len()];
    let mut previous: Option<usize> = None;
    for i in order {
        let sum = logits[i] + shift;
        shifted[i] = match previous {
            Some(before) if logits[before] == logits[i] => shifted[before],
            Some(before) if sum <= shifted[before] => shifted[before].next_up(),
            _ => sum,
        };
        previous = Some(i);
    }
    shifted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shift_neither_makes_nor_breaks_ties() {
        let close = 1.0f32.next_up();
        let logits = [close, 1.0, -3.0, 1.0, close.next_up()];
        let plain = logits.map(|logit| logit + 1000.0);
        assert_eq!(plain[0], plain[1], "the case is one in which f32 makes a tie");
        let shifted = shift_keeping_order(&logits, 1000.0);
        for (i, j) in (0..5).flat_map(|i| (0..5).map(move |j| (i, j))) {
            assert_eq!(logits[i].total_cmp(&logits[j]), shifted[i].total_cmp(&shifted[j]));
        }
        assert!(shifted.iter().zip(plain).all(|(a, b)| (a - b).abs() < 2e-4));
    }
}

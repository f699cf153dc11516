//! The engine: many users fine-tuned at once, one replica each.

use crate::{
    Corrected, FineTuningConfig, LocalSet, Method, PersonalizeError, Tasks, UserModel, UserTask, chunk::EncodedChunk,
    row_map::RowMapPool,
};
use candle_core::{Device, Tensor, Var, backprop::GradStore};
use ctr_data::Dataset;
use ctr_nn::{
    Algorithm, Context, CtrModel, DirectGradients, FieldSlots, Group, Kind, Leaves, Parameters, Rows, Step,
    TableLookUps, bce_with_logits, gather_rows_as_variable, repeat_as_variable, seeded_rng,
};
use rand::seq::SliceRandom;
use rayon::prelude::*;
use std::{collections::BTreeMap, sync::Arc, time::Instant};

/// What fine-tuning starts from; shared by every method and protocol.
pub struct FineTuner<'a> {
    model: &'a dyn CtrModel,
    cloud: &'a Parameters,
    /// The cloud model's logits, by sample of the dataset.
    cloud_logits: &'a [f32],
    dataset: &'a Dataset,
    config: &'a FineTuningConfig,
    device: &'a Device,
    global_ctr: f64,
    row_maps: RowMapPool,
}

/// The result of one method over the users of a protocol.
#[derive(Debug, Clone, PartialEq)]
pub struct FineTuned {
    /// Logits of the samples to rank, in the order of [`Tasks::judged_samples`].
    pub logits: Vec<f32>,
    /// Each user's share of its chunk's seconds (encoding, fine-tuning and scoring), in task order.
    pub user_seconds: Vec<f32>,
    /// Users with one class locally, for whom the shrunk local CTR stood in.
    pub one_class_users_clamped: u64,
}

/// One user's corrected labels in the form that training reads.
struct Targets {
    targets: Vec<f32>,
    weights: Vec<f32>,
    offset: f32,
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
    /// Users with similar numbers of steps share a chunk; chunks run in parallel on the caller's rayon pool. The number
    /// of threads changes no bit of a result; the chunk's company changes a user's scores by rounding at most.
    ///
    /// # Errors
    /// If a copy diverges or a tensor operation fails.
    pub fn run(&self, tasks: &Tasks, method: &Method, seed: u64) -> Result<FineTuned, PersonalizeError> {
        let chunk_users = self.config.chunk_users(self.model);
        let mut order: Vec<usize> = (0..tasks.users.len()).collect();
        order.sort_by_key(|&i| (std::cmp::Reverse(tasks.users[i].local.len()), i));
        let chunks: Vec<(Vec<Vec<f32>>, u64, f32)> = order
            .par_chunks(chunk_users)
            .map(|chunk| {
                let users: Vec<&UserTask> = chunk.iter().map(|&i| &tasks.users[i]).collect();
                let started = Instant::now();
                let (logits, clamped) = self.run_chunk(&users, method, seed)?;
                Ok((logits, clamped, started.elapsed().as_secs_f32() / users.len() as f32))
            })
            .collect::<Result<_, PersonalizeError>>()?;

        let ranges = tasks.judged_ranges();
        let mut logits = vec![0f32; ranges.last().map_or(0, |range| range.end)];
        let mut user_seconds = vec![0f32; tasks.users.len()];
        let mut one_class_users_clamped = 0;
        for (users, (scores, clamped, seconds)) in order.chunks(chunk_users).zip(chunks) {
            one_class_users_clamped += clamped;
            for (&user, scores) in users.iter().zip(scores) {
                if scores.iter().any(|logit| !logit.is_finite()) {
                    return Err(self.diverged(&tasks.users[user], method));
                }
                logits[ranges[user].clone()].copy_from_slice(&scores);
                user_seconds[user] = seconds;
            }
        }
        Ok(FineTuned { logits, user_seconds, one_class_users_clamped })
    }

    /// Fine-tunes one user's copy and keeps it for ranking.
    ///
    /// # Errors
    /// If the copy diverges or a tensor operation fails.
    pub fn user_model(&self, task: &UserTask, method: &Method, seed: u64) -> Result<UserModel<'a>, PersonalizeError> {
        let chunk = EncodedChunk::new(self.dataset, &[task], self.model.uses_history(), &self.row_maps);
        let replicas = Replicas::new(self, &chunk, 1, method)?;
        self.tune(&chunk, &replicas, &[task], &[Targets::new(self.correct(task, method))], seed)?;
        let rows = chunk.global_rows(self.device)?;
        let mut leaves = Leaves::default();
        for spec in self.cloud.specs() {
            let tuned = replicas.leaves.get(&spec.name)?.detach();
            if !tuned.sum_all()?.to_scalar::<f32>()?.is_finite() {
                return Err(self.diverged(task, method));
            }
            let value = match spec.kind {
                // Fine-tuned rows over the cloud's: `cloud + (tuned - cloud)` would round.
                Kind::Table => self.cloud.get(&spec.name)?.as_tensor().copy()?.scatter(
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
        Ok(UserModel { model: self.model, leaves, slots, history_length, device: self.device })
    }

    fn diverged(&self, task: &UserTask, method: &Method) -> PersonalizeError {
        PersonalizeError::Diverged {
            user: self.dataset.user_keys[task.user as usize].clone(),
            method: method.name.clone(),
            learning_rate: self.config.optimizer.learning_rate,
        }
    }

    /// Logits of each user's samples to rank, and the number of users with a clamped local CTR.
    fn run_chunk(&self, users: &[&UserTask], method: &Method, seed: u64) -> candle_core::Result<(Vec<Vec<f32>>, u64)> {
        let chunk = EncodedChunk::new(self.dataset, users, self.model.uses_history(), &self.row_maps);
        let replicas = Replicas::new(self, &chunk, users.len(), method)?;
        let corrected: Vec<Corrected> = users.iter().map(|task| self.correct(task, method)).collect();
        let clamped = corrected.iter().filter(|corrected| corrected.used_shrunk_ctr).count() as u64;
        let targets: Vec<Targets> = corrected.into_iter().map(Targets::new).collect();
        self.tune(&chunk, &replicas, users, &targets, seed)?;
        if replicas.only_bias_moved() {
            return Ok((self.shifted_cloud_logits(users, &replicas.bias_shifts(self)?), clamped));
        }
        let scores =
            self.model.forward(&replicas.tuned(), &chunk.judged_batch(self.device)?, &mut Context::inference())?;
        let scores = scores.to_vec2::<f32>()?;
        let logits = scores.into_iter().zip(users).map(|(mut row, task)| {
            row.truncate(task.judged.len());
            row
        });
        Ok((logits.collect(), clamped))
    }

    /// The cloud's logits of each user's samples to rank, plus its own constant.
    fn shifted_cloud_logits(&self, users: &[&UserTask], shifts: &[f32]) -> Vec<Vec<f32>> {
        let of_user = |(task, &shift): (&&UserTask, &f32)| {
            let cloud: Vec<f32> = task.judged.iter().map(|&i| self.cloud_logits[i as usize]).collect();
            shift_keeping_order(&cloud, shift)
        };
        users.iter().zip(shifts).map(of_user).collect()
    }

    fn correct(&self, task: &UserTask, method: &Method) -> Corrected {
        let labels: Vec<u8> = task.local.iter().map(|&i| self.dataset.samples.label[i as usize]).collect();
        let cloud_logits: Vec<f32> = task.local.iter().map(|&i| self.cloud_logits[i as usize]).collect();
        let local = LocalSet { labels: &labels, cloud_logits: &cloud_logits, global_ctr: self.global_ctr };
        (method.correction.apply)(&local, &self.config.correction)
    }

    fn tune(
        &self,
        chunk: &EncodedChunk,
        replicas: &Replicas,
        users: &[&UserTask],
        targets: &[Targets],
        seed: u64,
    ) -> candle_core::Result<()> {
        let schedules: Vec<Vec<u32>> = users.iter().map(|task| self.sample_order(task, seed)).collect();
        let batches: Vec<Vec<&[u32]>> = schedules
            .iter()
            .zip(users)
            .map(|(order, task)| {
                order.chunks(task.local.len()).flat_map(|epoch| epoch.chunks(self.config.batch_size)).collect()
            })
            .collect();
        let steps = batches.iter().map(Vec::len).max().unwrap_or(0);
        for step in 0..steps {
            let positions: Vec<&[u32]> = batches.iter().map(|user| user.get(step).copied().unwrap_or(&[])).collect();
            let batch_len = positions.iter().map(|positions| positions.len()).max().unwrap_or(0);
            let batch = chunk.batch(&positions, batch_len, self.device)?;
            let mut logits = self.model.forward(&replicas.leaves, &batch, &mut Context::inference())?;
            if targets.iter().any(|targets| targets.offset != 0.0) {
                let offsets: Vec<f32> = targets.iter().map(|targets| targets.offset).collect();
                logits = logits.broadcast_add(&Tensor::from_vec(offsets, (users.len(), 1), self.device)?)?;
            }
            let (labels, weights) = loss_inputs(&positions, targets, batch_len);
            let shape = (users.len(), batch_len);
            let labels = Tensor::from_vec(labels, shape, self.device)?;
            let weights = Tensor::from_vec(weights, shape, self.device)?;
            let grads = bce_with_logits(&logits, &labels, &weights)?.sum_all()?.backward()?;
            replicas.step(self, grads, step as u64 + 1, &positions)?;
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

impl Targets {
    fn new(corrected: Corrected) -> Self {
        let to_f32 = |values: Vec<f64>| values.into_iter().map(|value| value as f32).collect::<Vec<f32>>();
        let weights = corrected.weights.map_or_else(|| vec![1.0; corrected.targets.len()], to_f32);
        Self { weights, offset: corrected.training_offset as f32, targets: to_f32(corrected.targets) }
    }
}

/// Targets and weights `[users, batch_len]` of one step. A user's weights average over its own samples; padding has
/// weight 0, so a user without samples left has no gradient.
fn loss_inputs(positions: &[&[u32]], targets: &[Targets], batch_len: usize) -> (Vec<f32>, Vec<f32>) {
    let mut labels = Vec::with_capacity(positions.len() * batch_len);
    let mut weights = Vec::with_capacity(positions.len() * batch_len);
    for (user, (positions, targets)) in positions.iter().zip(targets).enumerate() {
        let share = 1.0 / positions.len().max(1) as f32;
        labels.extend(positions.iter().map(|&p| targets.targets[p as usize]));
        weights.extend(positions.iter().map(|&p| share * targets.weights[p as usize]));
        labels.resize((user + 1) * batch_len, 0.0);
        weights.resize((user + 1) * batch_len, 0.0);
    }
    (labels, weights)
}

/// The users' copies of the cloud model.
struct Replicas {
    leaves: Leaves,
    trained: Vec<Trained>,
    /// Gradients that layers compute themselves.
    direct: DirectGradients,
    /// Gradients of tables, if these take plain descent and are trained.
    lookups: Option<TableLookUps>,
}

/// A parameter that moves.
struct Trained {
    name: String,
    group: Group,
    leaf: Var,
    state: Option<Var>,
    /// The cloud's values, if L2-SP pulls toward them.
    anchor: Option<Tensor>,
    /// Rows of the leaf (slices along its first dimension) that belong to one replica.
    rows_per_replica: usize,
}

impl Replicas {
    fn new(tuner: &FineTuner, chunk: &EncodedChunk, count: usize, method: &Method) -> candle_core::Result<Self> {
        let scope = method.scope(tuner.config);
        let row_ids = chunk.global_rows(tuner.device)?;
        let optimizer = &tuner.config.optimizer;
        // A step of plain descent leaves what has no gradient where it is: rows that a step does not look up, and replicas
        // without samples left. So it can be taken wherever a gradient appears.
        let descends = optimizer.algorithm == Algorithm::Sgd && !method.l2_sp;
        let mut leaves = Leaves::default();
        let mut trained = Vec::new();
        for spec in tuner.cloud.specs() {
            let cloud = tuner.cloud.get(&spec.name)?.as_detached_tensor();
            let (leaf, rows_per_replica) = match spec.kind {
                Kind::Table => (gather_rows_as_variable(&cloud, &row_ids)?, chunk.rows_per_replica),
                Kind::Dense | Kind::Buffer => (repeat_as_variable(&cloud, count)?, 1),
            };
            if spec.kind == Kind::Buffer || !scope.includes(spec.group) || (spec.kind == Kind::Table && descends) {
                leaves.insert(&spec.name, leaf.as_detached_tensor());
                continue;
            }
            leaves.insert(&spec.name, leaf.as_tensor().clone());
            let state = optimizer.new_state(&leaf)?;
            let anchor = if method.l2_sp { Some(leaf.as_detached_tensor().copy()?) } else { None };
            trained.push(Trained { name: spec.name.clone(), group: spec.group, leaf, state, anchor, rows_per_replica });
        }
        let direct =
            if descends { DirectGradients::descending(optimizer.learning_rate) } else { DirectGradients::default() };
        let mut lookups = None;
        // Without the tables nothing below a stack has a gradient, so the stack would not be a node of the graph.
        if scope.includes(Group::Embedding) {
            leaves.collect_gradients(direct.clone());
            if descends {
                let collecting = TableLookUps::new(tuner.device)?;
                leaves.collect_lookups(collecting.clone());
                lookups = Some(collecting);
            }
        }
        Ok(Self { leaves, trained, direct, lookups })
    }

    /// The leaves without anyone who collects gradients, for scoring.
    fn tuned(&self) -> Leaves {
        let mut leaves = Leaves::default();
        self.leaves.iter().for_each(|(name, value)| leaves.insert(name, value.detach()));
        leaves
    }

    /// Whether the output bias is all that was trained.
    fn only_bias_moved(&self) -> bool {
        self.lookups.is_none() && matches!(&self.trained[..], [only] if only.group == Group::OutputBias)
    }

    /// How far each replica's output bias moved.
    fn bias_shifts(&self, tuner: &FineTuner) -> candle_core::Result<Vec<f32>> {
        let cloud = tuner.cloud.get("bias")?.as_detached_tensor();
        self.leaves.get("bias")?.broadcast_sub(&cloud)?.flatten_all()?.to_vec1()
    }

    /// Updates every replica that had samples in this step.
    fn step(
        &self,
        tuner: &FineTuner,
        mut grads: GradStore,
        number: u64,
        positions: &[&[u32]],
    ) -> candle_core::Result<()> {
        if let Some(lookups) = &self.lookups {
            for (name, gradients) in lookups.take(&mut grads) {
                gradients.descend(self.leaves.get(&name)?, tuner.config.optimizer.learning_rate)?;
            }
        }
        let active: Vec<usize> = (0..positions.len()).filter(|&user| !positions[user].is_empty()).collect();
        let mut direct = self.direct.take();
        let mut rows_by_width: BTreeMap<usize, Rows> = BTreeMap::new();
        for parameter in &self.trained {
            let grad = match (grads.remove(&parameter.leaf), direct.remove(&parameter.name)) {
                (Some(of_graph), Some(of_layers)) => (of_graph + of_layers)?,
                (Some(grad), None) | (None, Some(grad)) => grad,
                (None, None) => continue,
            };
            let width = parameter.rows_per_replica;
            let rows = rows_by_width.entry(width).or_insert_with(|| {
                if active.len() == positions.len() {
                    Rows::All
                } else {
                    let rows = active.iter().flat_map(|user| user * width..(user + 1) * width);
                    Rows::Active(rows.map(|row| row as u32).collect::<Arc<[u32]>>())
                }
            });
            let grad = match &parameter.anchor {
                Some(anchor) => (grad + ((parameter.leaf.as_tensor() - anchor)? * tuner.config.l2_sp)?)?.detach(),
                None => grad,
            };
            let learning_rate = tuner.config.optimizer.learning_rate;
            let step = Step { number, learning_rate, l2: 0.0 };
            tuner.config.optimizer.step(&parameter.leaf, &grad, parameter.state.as_ref(), rows, &step)?;
        }
        Ok(())
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

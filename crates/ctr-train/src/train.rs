//! The cloud training loop.

use crate::{
    EmbeddingUpdate, Monitor, TrainError, TrainingConfig,
    batches::BatchSource,
    checkpoint::{Progress, State},
    clip::clip_norm,
    gradients::{BatchGradients, GradientJob},
    losses::{Losses, NotFinite},
    predict,
    schedule::Schedule,
};
use candle_core::{Device, Tensor, Var};
use ctr_data::{Dataset, Split};
use ctr_metrics::{Scored, gauc, logloss};
use ctr_nn::{
    BatchNorm, CtrModel, DeviceChoice, Kind, MatmulPrecision, NormStatistics, Parameters, RowOrder, Rows, Step,
    seeded_rng,
};
use rand::seq::SliceRandom;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::Path, time::Instant};

/// One pass over the training part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochReport {
    /// Counts from 1.
    pub epoch: usize,
    /// Mean training loss over the epoch's batches, weighted by their size.
    pub train_loss: f64,
    /// The monitored metric on the validation part.
    pub validation: f64,
    /// Step size during the epoch.
    pub learning_rate: f64,
    /// Seconds spent on training steps, without the drawing of their order.
    pub train_seconds: f64,
    /// Seconds spent on scoring the validation part.
    pub validation_seconds: f64,
    /// Device that trained it, as `cuda:0`.
    pub device: String,
}

/// An epoch that is known of.
#[derive(Debug, Clone, Copy)]
pub enum EpochEvent<'a> {
    /// An earlier run trained it; its checkpoint was taken over.
    Restored(&'a EpochReport),
    /// It was trained now.
    Trained(&'a EpochReport),
}

/// How training went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingReport {
    /// Every epoch in order.
    pub epochs: Vec<EpochReport>,
    /// The epoch whose parameters were kept; counts from 1.
    pub best_epoch: usize,
    /// Training samples per second of training steps, over all epochs.
    pub rows_per_second: f64,
    /// Seconds spent on training steps.
    pub train_seconds: f64,
}

/// A trained cloud model.
#[derive(Debug)]
pub struct TrainedModel {
    /// The best epoch's values.
    pub parameters: Parameters,
    /// How training went.
    pub report: TrainingReport,
}

/// Trains `model` on the training part and keeps the epoch that is best on the validation part.
///
/// With a `checkpoint` path the state is written after every epoch; if the file exists, training continues from it and
/// ends bit for bit where an uninterrupted run ends. `identity` names what the run depends on beyond `dataset`,
/// `config` and `seed`: the model and its settings.
///
/// # Errors
/// If the loss diverges, the validation part does not define the monitored metric, or a checkpoint cannot be used.
#[allow(clippy::too_many_arguments)]
pub fn train(
    model: &dyn CtrModel,
    identity: &str,
    dataset: &Dataset,
    config: &TrainingConfig,
    seed: u64,
    device: &Device,
    checkpoint: Option<&Path>,
    on_epoch: &mut dyn FnMut(EpochEvent),
) -> Result<TrainedModel, TrainError> {
    let samples = dataset.indices(Split::Train);
    if samples.len() < config.batch_size {
        return Err(TrainError::SmallerThanBatch { samples: samples.len(), batch_size: config.batch_size });
    }
    let validation = Validation::new(dataset, config.monitor);
    let parameters = Parameters::initialize(model.parameters(), seed, device)?;
    let mut run = Run {
        fingerprint: format!(
            "state {STATE_VERSION} {} {} {identity} products {} {} seed {seed}",
            dataset.facts.dataset_hash,
            dataset.facts.split_hash,
            MatmulPrecision::get(),
            serde_json::to_string(config).map_err(candle_core::Error::wrap)?
        ),
        optimizer: BTreeMap::new(),
        best: parameters.snapshot()?,
        schedule: Schedule::new(config.optimizer.learning_rate),
        epochs: Vec::new(),
        steps: 0,
        parameters,
        config,
    };
    for spec in run.parameters.specs().iter().filter(|spec| spec.kind != Kind::Buffer) {
        if let Some(state) = config.optimizer.new_touched_state(run.parameters.get(&spec.name)?)? {
            run.optimizer.insert(spec.name.clone(), state);
        }
    }
    let mut finished = false;
    if let Some(path) = checkpoint.filter(|path| path.exists()) {
        finished = run.resume(State::load(path, &run.fingerprint)?)?;
        run.epochs.iter().for_each(|epoch| on_epoch(EpochEvent::Restored(epoch)));
    }
    let source = BatchSource::new(dataset, model.uses_history(), device)?;
    while !finished {
        let epoch = run.epochs.len() + 1;
        let learning_rate = run.schedule.learning_rate;
        let diverged = |NotFinite { step, loss }| TrainError::Diverged { loss, epoch, step, learning_rate };
        let batches = source.epoch(epoch_order(&samples, seed, epoch))?;
        device.synchronize()?;
        let started = Instant::now();
        let job = GradientJob { model, parameters: &run.parameters, device, shards: config.shards, seed };
        let mut losses = Losses::new(device);
        let mut steps = run.steps;
        for begin in (0..batches.len()).step_by(config.batch_size) {
            let places = begin..batches.len().min(begin + config.batch_size);
            steps += 1;
            let gradients = job.run(&batches, places.clone(), steps)?;
            losses.push(steps, places.len(), gradients.loss.clone())?.map_or(Ok(()), |found| Err(diverged(found)))?;
            run.apply(gradients, steps, learning_rate)?;
        }
        losses.read()?.map_or(Ok(()), |found| Err(diverged(found)))?;
        device.synchronize()?;
        run.steps = steps;
        let train_seconds = started.elapsed().as_secs_f64();
        let started = Instant::now();
        let logits = predict(model, &run.parameters, dataset, &validation.samples, device)?;
        let value = validation.judge(&logits)?;
        let report = EpochReport {
            epoch,
            train_loss: losses.sum() / samples.len() as f64,
            validation: value,
            learning_rate,
            train_seconds,
            validation_seconds: started.elapsed().as_secs_f64(),
            device: DeviceChoice::from(device).to_string(),
        };
        let higher_is_better = if config.monitor == Monitor::Logloss { -value } else { value };
        if run.schedule.observe(epoch, higher_is_better, config.learning_rate_factor) {
            run.best = run.parameters.snapshot()?;
        }
        run.epochs.push(report.clone());
        finished = epoch == config.epochs || run.schedule.exhausted(config.patience);
        if let Some(path) = checkpoint {
            run.state(finished)?.save(path)?;
        }
        on_epoch(EpochEvent::Trained(&report));
    }
    run.parameters.restore(&run.best)?;
    let train_seconds: f64 = run.epochs.iter().map(|epoch| epoch.train_seconds).sum();
    let report = TrainingReport {
        best_epoch: run.schedule.best_epoch,
        rows_per_second: (samples.len() * run.epochs.len()) as f64 / train_seconds,
        train_seconds,
        epochs: run.epochs,
    };
    Ok(TrainedModel { parameters: run.parameters, report })
}

/// The training samples in the order in which epoch `epoch` (counted from 1) visits them.
pub fn epoch_order(samples: &[u32], seed: u64, epoch: usize) -> Vec<u32> {
    let mut order = samples.to_vec();
    order.shuffle(&mut seeded_rng(seed, "epoch order", epoch as u64));
    order
}

/// Raised whenever the layout of the optimizers' state changes, so that an older checkpoint is refused by its fingerprint.
const STATE_VERSION: u32 = 2;

/// What changes while a model trains.
struct Run<'a> {
    fingerprint: String,
    parameters: Parameters,
    optimizer: BTreeMap<String, Var>,
    best: BTreeMap<String, Tensor>,
    schedule: Schedule,
    epochs: Vec<EpochReport>,
    steps: u64,
    config: &'a TrainingConfig,
}

impl Run<'_> {
    fn apply(&self, gradients: BatchGradients, number: u64, learning_rate: f64) -> Result<(), TrainError> {
        let optimizer = &self.config.optimizer;
        let step = |l2| Step { number, learning_rate, l2 };
        if let Some(max_norm) = self.config.max_gradient_norm {
            let (names, mut grads): (Vec<&String>, Vec<Tensor>) = self.with_l2(&gradients)?.into_iter().unzip();
            clip_norm(&mut grads, max_norm)?;
            for (name, grad) in names.into_iter().zip(&grads) {
                let (parameter, state) = (self.parameters.get(name)?, self.optimizer.get(name));
                optimizer.step(parameter, grad, state, &Rows::All, &step(0.0))?;
            }
            return self.follow_statistics(gradients.norm_statistics);
        }
        let update = |(name, grad): (&String, &Tensor)| {
            let (parameter, state) = (self.parameters.get(name)?, self.optimizer.get(name));
            optimizer.step(parameter, grad, state, &Rows::All, &step(self.config.l2_dense))
        };
        // On the CPU one parameter beside the other; a GPU's operations are in one queue anyway.
        if gradients.loss.device().is_cpu() {
            gradients.dense.par_iter().try_for_each(update)?;
        } else {
            gradients.dense.iter().try_for_each(update)?;
        }
        let mut order = None;
        for (name, grads) in &gradients.tables {
            let (parameter, state) = (self.parameters.get(name)?, self.optimizer.get(name));
            let order = RowOrder::shared(grads, &mut order)?;
            let step = step(self.config.l2_embedding);
            match self.config.embedding_update {
                EmbeddingUpdate::Touched => optimizer.step_rows(parameter, grads, order, state, &step)?,
                EmbeddingUpdate::All => optimizer.step_all_rows(parameter, grads, order, state, &step)?,
            }
        }
        self.follow_statistics(gradients.norm_statistics)
    }

    /// Every parameter's gradient in its own shape, with that of the L2 terms.
    fn with_l2<'b>(&self, gradients: &'b BatchGradients) -> Result<Vec<(&'b String, Tensor)>, TrainError> {
        let add = |grad: &Tensor, parameter: &Tensor, l2: f64| grad + (parameter.detach() * l2)?;
        let mut all = Vec::with_capacity(gradients.dense.len() + gradients.tables.len());
        for (name, grad) in &gradients.dense {
            all.push((name, add(grad, self.parameters.get(name)?, self.config.l2_dense)?));
        }
        let mut order = None;
        for (name, grads) in &gradients.tables {
            let parameter = self.parameters.get(name)?;
            let grad = grads.to_dense(RowOrder::shared(grads, &mut order)?, parameter.dim(0)?)?;
            all.push((name, add(&grad, parameter, self.config.l2_embedding)?));
        }
        Ok(all)
    }

    /// Moves running statistics toward those of the batch.
    fn follow_statistics(&self, statistics: Vec<NormStatistics>) -> Result<(), TrainError> {
        for seen in statistics {
            for (part, batch) in [("running_mean", seen.mean), ("running_var", seen.variance)] {
                let running = self.parameters.get(&format!("{}.{part}", seen.layer))?;
                let kept = (running.as_tensor() * (1.0 - BatchNorm::MOMENTUM))?;
                running.set(&(kept + (batch * BatchNorm::MOMENTUM)?)?)?;
            }
        }
        Ok(())
    }

    fn state(&self, finished: bool) -> Result<State, TrainError> {
        Ok(State {
            progress: Progress {
                fingerprint: self.fingerprint.clone(),
                schedule: self.schedule.clone(),
                epochs: self.epochs.clone(),
                steps: self.steps,
                finished,
            },
            parameters: self.parameters.snapshot()?,
            best: self.best.clone(),
            optimizer: self.optimizer.iter().map(|(name, state)| (name.clone(), state.as_tensor().clone())).collect(),
        })
    }

    /// Takes a saved state over and says whether training had finished.
    fn resume(&mut self, state: State) -> Result<bool, TrainError> {
        self.parameters.restore(&state.parameters)?;
        for (name, value) in &self.optimizer {
            let saved = state.optimizer.get(name).ok_or_else(|| {
                candle_core::Error::Msg(format!("the checkpoint lacks the optimizer state of `{name}`"))
            })?;
            value.set(&saved.to_device(value.device())?)?;
        }
        self.best = state.best;
        self.schedule = state.progress.schedule;
        self.epochs = state.progress.epochs;
        self.steps = state.progress.steps;
        Ok(state.progress.finished)
    }
}

/// The validation part, grouped by user.
struct Validation {
    samples: Vec<u32>,
    labels: Vec<u8>,
    user_offsets: Vec<usize>,
    monitor: Monitor,
}

impl Validation {
    fn new(dataset: &Dataset, monitor: Monitor) -> Self {
        // Samples are sorted by user, so a user's samples are consecutive.
        let samples = dataset.indices(Split::Validation);
        let labels = samples.iter().map(|&i| dataset.samples.label[i as usize]).collect();
        let user = |i: usize| dataset.samples.user[samples[i] as usize];
        let mut user_offsets: Vec<usize> = (0..samples.len()).filter(|&i| i == 0 || user(i) != user(i - 1)).collect();
        user_offsets.push(samples.len());
        Self { samples, labels, user_offsets, monitor }
    }

    fn judge(&self, logits: &[f32]) -> Result<f64, TrainError> {
        let scored = Scored::new(logits, &self.labels, &self.user_offsets)?;
        let (name, value) = match self.monitor {
            Monitor::Auc => ("auc", ctr_metrics::auc(logits, &self.labels)),
            Monitor::Gauc => ("gauc", gauc(&scored)),
            Monitor::Logloss => ("logloss", logloss(logits, &self.labels)),
        };
        value.ok_or(TrainError::NoMonitor { monitor: name })
    }
}

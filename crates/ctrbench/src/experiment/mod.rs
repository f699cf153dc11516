//! The line from dataset to report, walked once per seed and model.

mod cell;
mod cloud;
mod curve;
mod records;
mod results;

use crate::{
    config::{Protocol, RunConfig},
    progress::Progress,
};
use anyhow::{Result, bail};
use candle_core::Device;
use cell::{Baseline, Judge, judge_cloud, judge_method};
use cloud::{CloudModel, train_cloud};
use ctr_data::Dataset;
use ctr_nn::ModelInput;
use ctr_personalize::{FineTuner, Method, Tasks, natural, planted_drift};
use ctr_report::{RunFolder, RunRecord};
use ctr_train::TrainError;
use curve::Target;
use results::Results;
use std::time::{Duration, Instant, SystemTime};

/// Users that are fine-tuned before the clock starts, again and again for this long.
const WARM_UP_USERS: usize = 256;
const WARM_UP: Duration = Duration::from_millis(50);

/// What models must know of a dataset.
pub fn model_input(dataset: &Dataset) -> ModelInput {
    ModelInput {
        fields: dataset.fields.len(),
        item_field: dataset.item_field,
        table_rows: dataset.table_rows(),
        history_length: dataset.history_length,
    }
}

/// A run: what it works on, and what it has found so far.
pub struct Experiment<'a> {
    config: RunConfig,
    methods: Vec<Method>,
    device: Device,
    dataset: Dataset,
    results: Results,
    progress: &'a Progress,
}

impl<'a> Experiment<'a> {
    /// Steps that [`Self::run`] reports: one per cloud model and one per cell.
    pub fn steps(config: &RunConfig) -> u64 {
        let cells = config.protocols.len() * (1 + config.methods.len());
        (config.seeds.len() * config.models.len() * (1 + cells)) as u64
    }

    /// Refuses what a dataset cannot serve, before anything is written.
    pub fn check(config: &RunConfig, dataset: &Dataset) -> Result<()> {
        if !config.protocols.is_empty() && !dataset.has_users() {
            bail!(
                "{} names no users, so there is nobody whose samples a copy could be fine-tuned on: set protocols = [] to train and judge cloud models",
                dataset.name
            );
        }
        let (samples, batch_size) = (dataset.facts.train.rows as usize, config.training.batch_size);
        if samples < batch_size {
            return Err(TrainError::SmallerThanBatch { samples, batch_size }.into());
        }
        Ok(())
    }

    /// Writes the configuration and, unless the folder holds an earlier process's results, the first record.
    pub fn new(
        config: RunConfig,
        device: Device,
        dataset: Dataset,
        folder: RunFolder,
        started: SystemTime,
        progress: &'a Progress,
    ) -> Result<Self> {
        let results = Results::new(&config, &dataset, folder, started)?;
        let methods = config.fine_tuning_methods()?;
        Ok(Self { config, methods, device, dataset, results, progress })
    }

    /// Walks every seed and model.
    pub fn run(mut self) -> Result<RunRecord> {
        let fine_tunes = !self.config.protocols.is_empty();
        let natural = if fine_tunes {
            natural(&self.dataset, self.config.fine_tuning.min_samples, self.config.judged_part.split())
        } else {
            Tasks::default()
        };
        for seed in self.config.seeds.clone() {
            let planted = planted_drift(&self.dataset, &natural, &self.config.planted_drift, seed);
            let tasks_of = |protocol| if protocol == Protocol::Natural { &natural } else { &planted };
            // Before any model is trained.
            for &protocol in &self.config.protocols {
                records::require_users(tasks_of(protocol), protocol, self.config.fine_tuning.min_samples)?;
            }
            for name in self.config.models.clone() {
                self.progress.now(&format!("{name}, seed {seed}: training in the cloud"));
                let cloud = train_cloud(&mut self, &name, seed)?;
                self.progress.advance(1);
                if !fine_tunes {
                    self.results.write()?;
                }
                for protocol in self.config.protocols.clone() {
                    let result = self.fine_tune(&name, seed, protocol, tasks_of(protocol), &cloud);
                    // Also after an error: the methods before the one that failed have their results.
                    self.results.write()?;
                    result?;
                }
            }
        }
        self.results.finish()
    }

    /// Every method of one protocol on one cloud model.
    fn fine_tune(
        &mut self,
        name: &str,
        seed: u64,
        protocol: Protocol,
        tasks: &Tasks,
        cloud: &CloudModel,
    ) -> Result<()> {
        let Self { dataset, config, device, methods, results, progress } = self;
        results.folder.write_excluded_users(protocol.name(), &records::excluded_rows(dataset, tasks))?;
        let judge = Judge::new(dataset, tasks, &config.bootstrap);
        let tuner =
            FineTuner::new(&*cloud.model, &cloud.parameters, &cloud.logits, dataset, &config.fine_tuning, device);
        let cloud_logits: Vec<f32> = tasks.judged_samples().iter().map(|&i| cloud.logits[i as usize]).collect();
        let label = records::CellLabel { model: name, seed, protocol: protocol.name() };
        let clock = Instant::now();
        let targets = Target::all(&judge, &cloud_logits);
        let resampled = targets.iter().map(|target| Ok((target, target.resample_cloud(&config.bootstrap)?)));
        let baseline = Baseline {
            logits: &cloud_logits,
            all_users: judge.resample(&cloud_logits)?,
            targets: resampled.collect::<Result<_>>()?,
        };
        let outcome = judge_cloud(&judge, &label, &baseline);
        results.add_seconds("evaluate", clock.elapsed().as_secs_f64());
        results.add(outcome)?;
        progress.advance(1);
        // Untimed: memory that is touched and kernels that are loaded for the first time are no method's cost.
        if let Some(first) = methods.first() {
            let (clock, users) = (Instant::now(), tasks.first(WARM_UP_USERS));
            tuner.run(&users, first, seed)?;
            while clock.elapsed() < WARM_UP {
                tuner.run(&users, first, seed)?;
            }
        }
        let mut fine_tune_seconds = 0.0;
        for method in methods.iter() {
            progress.now(&format!("{name}, seed {seed}, {}: {}", protocol.name(), method.name));
            let clock = Instant::now();
            let tuned = tuner.run(tasks, method, seed)?;
            let seconds = clock.elapsed().as_secs_f64();
            if let (asked, least) = tuned.chunk_users
                && least < asked
            {
                progress.line(&format!(
                    "{name}, seed {seed}, {}: the device's memory did not hold chunks of {asked} users; went on with chunks down to {least}",
                    method.name
                ));
            }
            fine_tune_seconds += seconds;
            results.add_seconds("fine-tune", seconds);
            let clock = Instant::now();
            let outcome = judge_method(&judge, &label, method, &baseline, &tuned, seconds)?;
            results.add_seconds("evaluate", clock.elapsed().as_secs_f64());
            results.add(outcome)?;
            progress.advance(1);
        }
        let passes = (tasks.users.len() * methods.len()) as f64;
        progress.line(&format!(
            "{name}, seed {seed}, {}: {} users x {} methods fine-tuned, {:.0} users/s",
            protocol.name(),
            tasks.users.len(),
            methods.len(),
            passes / fine_tune_seconds.max(f64::MIN_POSITIVE)
        ));
        Ok(())
    }
}

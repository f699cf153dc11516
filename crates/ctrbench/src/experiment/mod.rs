//! The line from dataset to report, walked once per seed and model.

mod cell;
mod cloud;
mod curve;
mod records;

use crate::{
    config::{Protocol, RunConfig},
    progress::Progress,
};
use anyhow::Result;
use candle_core::Device;
use cell::{Judge, judge_cloud, judge_method};
use cloud::{CloudModel, train_cloud};
use ctr_data::Dataset;
use ctr_nn::ModelInput;
use ctr_personalize::{FineTuner, Method, Tasks, natural, planted_drift};
use ctr_report::{RunFolder, RunRecord, UserRows, peak_memory_bytes, write_report};
use std::{
    collections::BTreeMap,
    time::{Instant, SystemTime},
};

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
    folder: RunFolder,
    record: RunRecord,
    users: UserRows,
    started: Instant,
    progress: &'a Progress,
}

impl<'a> Experiment<'a> {
    /// Steps that [`Self::run`] reports: one per cloud model and one per cell.
    pub fn steps(config: &RunConfig) -> u64 {
        let cells = config.protocols.len() * (1 + config.methods.len());
        (config.seeds.len() * config.models.len() * (1 + cells)) as u64
    }

    /// Loads the dataset and writes the configuration and the first record.
    pub fn new(
        config: RunConfig,
        device: Device,
        folder: RunFolder,
        started: SystemTime,
        progress: &'a Progress,
    ) -> Result<Self> {
        folder.write_config(&toml::to_string(&config)?)?;
        let clock = Instant::now();
        let dataset = ctr_data::load(&config.dataset, &|message| progress.line(message))?;
        let mut record = records::new_record(&config, &dataset, &folder, started)?;
        record.phases_seconds.insert("load".into(), clock.elapsed().as_secs_f64());
        folder.write_record(&record)?;
        let users = UserRows::new(dataset.user_keys.clone(), dataset.global_ctr());
        let methods = config.fine_tuning_methods()?;
        Ok(Self { config, methods, device, dataset, folder, record, users, started: clock, progress })
    }

    /// Walks every seed and model; files are rewritten whenever a protocol is complete.
    pub fn run(mut self) -> Result<RunRecord> {
        let natural = natural(&self.dataset, self.config.fine_tuning.min_samples);
        for seed in self.config.seeds.clone() {
            let planted = planted_drift(&self.dataset, &natural, &self.config.planted_drift, seed);
            for name in self.config.models.clone() {
                self.progress.now(&format!("{name}, seed {seed}: training in the cloud"));
                let cloud = train_cloud(&mut self, &name, seed)?;
                self.progress.advance(1);
                for protocol in self.config.protocols.clone() {
                    let tasks = if protocol == Protocol::Natural { &natural } else { &planted };
                    self.fine_tune(&name, seed, protocol, tasks, &cloud)?;
                    self.write()?;
                }
            }
        }
        self.record.finished = true;
        self.write()?;
        Ok(self.record)
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
        records::require_users(tasks, protocol, self.config.fine_tuning.min_samples)?;
        self.folder.write_excluded_users(protocol.name(), &records::excluded_rows(&self.dataset, tasks))?;
        let judge = Judge::new(&self.dataset, tasks, &self.config.bootstrap);
        let Self { dataset, config, device, methods, .. } = &*self;
        let tuner =
            FineTuner::new(&*cloud.model, &cloud.parameters, &cloud.logits, dataset, &config.fine_tuning, device);
        let cloud_logits: Vec<f32> = tasks.test_samples().iter().map(|&i| cloud.logits[i as usize]).collect();
        let label = records::CellLabel { model: name, seed, protocol: protocol.name() };
        let mut seconds: BTreeMap<&str, f64> = BTreeMap::new();
        let mut clock = Instant::now();
        let mut lap = |phase: &'static str| {
            *seconds.entry(phase).or_default() += clock.elapsed().as_secs_f64();
            clock = Instant::now();
        };
        let baseline = judge.resample(&cloud_logits)?;
        let mut outcomes = vec![judge_cloud(&judge, &label, &baseline, &cloud_logits)];
        lap("evaluate");
        self.progress.advance(1);
        for method in methods {
            self.progress.now(&format!("{name}, seed {seed}, {}: {}", protocol.name(), method.name));
            let fine_tuning = Instant::now();
            let tuned = tuner.run(tasks, method, seed)?;
            let fine_tune_seconds = fine_tuning.elapsed().as_secs_f64();
            lap("fine-tune");
            outcomes.push(judge_method(&judge, &label, method, &baseline, &cloud_logits, &tuned, fine_tune_seconds)?);
            lap("evaluate");
            self.progress.advance(1);
        }
        let fine_tune_seconds = seconds.get("fine-tune").copied().unwrap_or_default();
        for (phase, seconds) in seconds {
            *self.record.phases_seconds.entry(phase.into()).or_default() += seconds;
        }
        for outcome in outcomes {
            self.record.cells.push(outcome.cell);
            self.record.curve.extend(outcome.curve);
            self.users.push(outcome.users)?;
        }
        let passes = (tasks.users.len() * self.methods.len()) as f64;
        self.progress.line(&format!(
            "{name}, seed {seed}, {}: {} users x {} methods fine-tuned, {:.0} users/s",
            protocol.name(),
            tasks.users.len(),
            self.methods.len(),
            passes / fine_tune_seconds.max(f64::MIN_POSITIVE)
        ));
        Ok(())
    }

    /// Writes everything found so far.
    fn write(&mut self) -> Result<()> {
        self.record.wall_seconds = self.started.elapsed().as_secs_f64();
        self.record.peak_memory_bytes = peak_memory_bytes();
        let clock = Instant::now();
        write_report(&self.record, &self.users, &self.folder)?;
        *self.record.phases_seconds.entry("report".into()).or_default() += clock.elapsed().as_secs_f64();
        Ok(())
    }
}

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
    /// Cells that an earlier process left in the folder: its files stay until this run has as many.
    earlier_cells: usize,
    progress: &'a Progress,
}

impl<'a> Experiment<'a> {
    /// Steps that [`Self::run`] reports: one per cloud model and one per cell.
    pub fn steps(config: &RunConfig) -> u64 {
        let cells = config.protocols.len() * (1 + config.methods.len());
        (config.seeds.len() * config.models.len() * (1 + cells)) as u64
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
        folder.write_config(&toml::to_string(&config)?)?;
        let record = records::new_record(&config, &dataset, &folder, started)?;
        let earlier = folder.path().join("run.json");
        let earlier_cells = if earlier.exists() { RunRecord::read(&earlier)?.cells.len() } else { 0 };
        if earlier_cells == 0 {
            folder.write_record(&record)?;
        }
        let users = UserRows::new(dataset.user_keys.clone(), dataset.global_ctr());
        let methods = config.fine_tuning_methods()?;
        let clock = Instant::now();
        Ok(Self { config, methods, device, dataset, folder, record, users, started: clock, earlier_cells, progress })
    }

    /// Walks every seed and model; files are rewritten whenever a protocol is complete.
    pub fn run(mut self) -> Result<RunRecord> {
        let judged_part = self.config.judged_part.split();
        let natural = natural(&self.dataset, self.config.fine_tuning.min_samples, judged_part);
        for seed in self.config.seeds.clone() {
            let planted = planted_drift(&self.dataset, &natural, &self.config.planted_drift, seed);
            for name in self.config.models.clone() {
                self.progress.now(&format!("{name}, seed {seed}: training in the cloud"));
                let cloud = train_cloud(&mut self, &name, seed)?;
                self.write_record()?;
                self.progress.advance(1);
                for protocol in self.config.protocols.clone() {
                    let tasks = if protocol == Protocol::Natural { &natural } else { &planted };
                    let result = self.fine_tune(&name, seed, protocol, tasks, &cloud);
                    // Also after an error: the methods before the one that failed have their results.
                    self.write()?;
                    result?;
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
        let cloud_logits: Vec<f32> = tasks.judged_samples().iter().map(|&i| cloud.logits[i as usize]).collect();
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
        let mut failure = None;
        for method in methods {
            self.progress.now(&format!("{name}, seed {seed}, {}: {}", protocol.name(), method.name));
            let fine_tuning = Instant::now();
            let tuned = match tuner.run(tasks, method, seed) {
                Ok(tuned) => tuned,
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            };
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
        if let Some(error) = failure {
            return Err(error.into());
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

    /// Writes the record as it is now.
    fn write_record(&mut self) -> Result<()> {
        if self.record.cells.len() < self.earlier_cells {
            return Ok(());
        }
        self.record.wall_seconds = self.started.elapsed().as_secs_f64();
        self.record.peak_memory_bytes = peak_memory_bytes();
        Ok(self.folder.write_record(&self.record)?)
    }

    /// Writes everything found so far.
    fn write(&mut self) -> Result<()> {
        if self.record.cells.len() < self.earlier_cells {
            return Ok(());
        }
        let clock = Instant::now();
        self.write_record()?;
        write_report(&self.record, &self.users, &self.folder)?;
        *self.record.phases_seconds.entry("report".into()).or_default() += clock.elapsed().as_secs_f64();
        Ok(())
    }
}

//! What a run has found so far, and the files that say so.

use super::{cell::Outcome, records};
use crate::config::RunConfig;
use anyhow::Result;
use ctr_data::Dataset;
use ctr_report::{ModelRecord, RunFolder, RunRecord, UserRows, peak_memory_bytes, write_report};
use std::time::{Duration, Instant, SystemTime};

/// Per-user files and plots grow with the run, so they are rewritten after a method only if this has passed; record and
/// tables are rewritten after every method, and everything after every protocol.
const BETWEEN_FULL_WRITES: Duration = Duration::from_secs(20);

/// Results in memory and on disk.
pub struct Results {
    pub folder: RunFolder,
    record: RunRecord,
    users: UserRows,
    started: Instant,
    written: Instant,
    /// Cells that an earlier process left in the folder: its files stay until this run has as many.
    earlier_cells: usize,
}

impl Results {
    /// Writes the configuration and, unless the folder holds an earlier process's results, the first record.
    pub fn new(config: &RunConfig, dataset: &Dataset, folder: RunFolder, started: SystemTime) -> Result<Self> {
        folder.write_config(&toml::to_string(config)?)?;
        let record = records::new_record(config, dataset, &folder, started)?;
        let earlier = folder.path().join("run.json");
        let earlier_cells = if earlier.exists() { RunRecord::read(&earlier)?.cells.len() } else { 0 };
        if earlier_cells == 0 {
            folder.write_record(&record)?;
        }
        let users = UserRows::new(dataset.user_keys.clone(), dataset.global_ctr());
        let now = Instant::now();
        Ok(Self { folder, record, users, started: now, written: now, earlier_cells })
    }

    /// Adds to the time of a phase.
    pub fn add_seconds(&mut self, phase: &str, seconds: f64) {
        *self.record.phases_seconds.entry(phase.to_owned()).or_default() += seconds;
    }

    /// Takes in a cloud model.
    pub fn add_model(&mut self, model: ModelRecord) -> Result<()> {
        self.record.models.push(model);
        self.write_record()
    }

    /// Takes in a method's cell and writes it, so that a killed run keeps it.
    pub fn add(&mut self, outcome: Outcome) -> Result<()> {
        self.record.cells.push(outcome.cell);
        self.record.curve.extend(outcome.curve);
        self.users.push(outcome.users)?;
        if self.written.elapsed() >= BETWEEN_FULL_WRITES {
            return self.write();
        }
        self.write_record()?;
        if self.may_write() { Ok(self.folder.write_tables(&self.record)?) } else { Ok(()) }
    }

    /// Writes everything found so far.
    pub fn write(&mut self) -> Result<()> {
        let clock = Instant::now();
        if self.may_write() {
            self.measure();
            write_report(&self.record, &self.users, &self.folder)?;
        }
        self.written = Instant::now();
        self.add_seconds("report", clock.elapsed().as_secs_f64());
        Ok(())
    }

    /// Marks the run as complete; everything else was written with the last protocol.
    pub fn finish(mut self) -> Result<RunRecord> {
        self.record.finished = true;
        self.write_record()?;
        Ok(self.record)
    }

    fn measure(&mut self) {
        self.record.wall_seconds = self.started.elapsed().as_secs_f64();
        self.record.peak_memory_bytes = peak_memory_bytes();
    }

    fn may_write(&self) -> bool {
        self.record.cells.len() >= self.earlier_cells
    }

    fn write_record(&mut self) -> Result<()> {
        if !self.may_write() {
            return Ok(());
        }
        self.measure();
        Ok(self.folder.write_record(&self.record)?)
    }
}

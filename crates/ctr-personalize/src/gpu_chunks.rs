//! Chunks on a GPU: as many users as its memory holds, two at a time, so that one is prepared while the other computes.

use crate::fine_tune::{ChunkResult, LaunchedChunk};
use crate::pipeline::Steps;
use crate::prepared::PreparedChunk;
use crate::{FineTuner, Method, Tasks, UserTask};
use candle_core::Result;
use ctr_nn::{Kind, free_device_bytes};
use std::time::Instant;

/// Users beyond which a chunk is not faster (docs/performance-gpu.md has rates by size).
const MOST_USERS: usize = 4096;
/// Users below which a GPU is not busy.
const FEWEST_USERS: usize = 256;
/// Chunks that are there at once; a pass has at least as many.
const CHUNKS_AT_A_TIME: usize = 2;
/// Users of a chunk where results must not depend on the memory that is free.
const FIXED_USERS: usize = 1024;
/// What one chunk may take of the free memory: two are there at once, and estimates err.
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
        let in_time = tasks.users.len().div_ceil(CHUNKS_AT_A_TIME).clamp(FEWEST_USERS, MOST_USERS);
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

    /// Runs the users in this order; the second result is the users of the smallest chunk, fewer where memory was short.
    ///
    /// Chunks are launched one after the other, since products of several threads must not meet in cuBLAS's workspace.
    pub(crate) fn run_on_gpu<'t>(
        &self,
        order: &[&'t UserTask],
        chunk_users: usize,
        method: &Method,
        seed: u64,
    ) -> Result<(Vec<ChunkResult>, usize)> {
        let started = Instant::now();
        let steps = Steps {
            prepare: |users: &[&'t UserTask]| self.prepare(users, method, seed),
            launch: |chunk: PreparedChunk<'t>| self.launch(&chunk, method),
            read: LaunchedChunk::read,
            may_halve: !self.config.deterministic,
        };
        let (mut results, smallest) = steps.run(order, chunk_users)?;
        // Chunks overlap, so a chunk's own time would count others' too.
        let seconds_per_user = started.elapsed().as_secs_f32() / order.len().max(1) as f32;
        results.iter_mut().for_each(|result| result.seconds_per_user = seconds_per_user);
        Ok((results, smallest))
    }

    fn prepare<'t>(&self, users: &[&'t UserTask], method: &Method, seed: u64) -> Result<PreparedChunk<'t>> {
        PreparedChunk::new(self, users.to_vec(), method, seed).copied_to(self.device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FineTuningConfig, natural};
    use candle_core::Device;
    use ctr_data::{DatasetConfig, Split, SyntheticConfig};
    use ctr_nn::{ModelConfig, ModelInput, Parameters};

    /// What `look` sees of an engine over 40 users of a synthetic dataset.
    fn with_tuner<R>(settings: &FineTuningConfig, look: impl FnOnce(&FineTuner, &Tasks) -> R) -> R {
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = DatasetConfig::new("synthetic");
        config.cache_dir = folder.path().to_owned();
        config.synthetic = SyntheticConfig { users: 40, ..SyntheticConfig::default() };
        let dataset = ctr_data::load(&config, &|_| {}).expect("a synthetic dataset");
        let input = ModelInput {
            fields: dataset.fields.len(),
            item_field: dataset.item_field,
            table_rows: dataset.table_rows(),
            history_length: dataset.history_length,
        };
        let model = ctr_fm::FmConfig::default().build(&input).expect("default settings");
        let cloud = Parameters::initialize(model.parameters(), 1, &Device::Cpu).expect("parameters");
        let logits = vec![0.0; dataset.len()];
        let tuner = FineTuner::new(&*model, &cloud, &logits, &dataset, settings, &Device::Cpu);
        look(&tuner, &natural(&dataset, 1, Split::Test))
    }

    /// A GPU's way through the chunks, walked on the CPU: several, the last one short, in the users' order.
    #[test]
    fn pipelined_chunks_give_what_chunks_give() {
        let settings = FineTuningConfig { chunk_users: Some(4), ..FineTuningConfig::default() };
        with_tuner(&settings, |tuner, tasks| {
            let users: Vec<&UserTask> = tasks.users.iter().collect();
            assert!(!users.len().is_multiple_of(4) && users.len() > 8, "{} users leave no short chunk", users.len());
            // The second adds to the logits in training.
            for name in ["none", "logit-adjustment"] {
                let method = Method::parse(name).expect("a method");
                let expected = tuner.run_on_cpu(&users, 4, &method, 1).expect("fine-tuned users");
                let (actual, smallest) = tuner.run_on_gpu(&users, 4, &method, 1).expect("fine-tuned users");
                let logits = |chunks: &[ChunkResult]| -> Vec<Vec<f32>> {
                    chunks.iter().flat_map(|chunk| chunk.logits.clone()).collect()
                };
                assert_eq!(smallest, 4);
                assert_eq!(logits(&actual), logits(&expected));
                assert_eq!(logits(&actual).len(), users.len());
            }
        });
    }

    #[test]
    fn a_deterministic_run_has_chunks_of_a_constant_size() {
        let free = FineTuningConfig::default();
        let fixed = FineTuningConfig { deterministic: true, ..FineTuningConfig::default() };
        let chosen = FineTuningConfig { chunk_users: Some(7), ..fixed.clone() };
        for (settings, expected) in [(free, FEWEST_USERS), (fixed, FIXED_USERS), (chosen, 7)] {
            let users = with_tuner(&settings, |tuner, tasks| tuner.gpu_chunk_users(tasks).expect("a size"));
            assert_eq!(users, expected);
        }
    }
}

//! Rows per second of cloud training.

use crate::{arguments::Model, rounds::serve, sizes, uniform::uniform};
use anyhow::Result;
use candle_core::Device;
use ctr_data::Split;
use ctr_nn::{Parameters, save_tensors};
use ctr_train::{EmbeddingUpdate, Monitor, TrainingConfig, epoch_order, train};
use serde_json::json;
use std::path::Path;

const BATCH_SIZE: usize = 4096;
const HELD_OUT: usize = 4096;
const HISTORY_LENGTH: usize = 50;
const SEED: u64 = 1;
/// Table rows up to which the dense rule is timed as well.
const LARGEST_TABLE_OF_DENSE_RULE: u32 = 10_000;

/// One round is one epoch of `steps` batches from the initial weights, with row-sparse Adam, and where the table is small
/// one by the dense rule.
pub fn run(model: Model, vocabulary: u32, steps: usize, export: &Path) -> Result<()> {
    let history_length = if model == Model::Din { HISTORY_LENGTH } else { 0 };
    let dataset = uniform(vocabulary, steps * BATCH_SIZE, HELD_OUT, history_length);
    let structure = sizes::model(model, &dataset, &[400, 400, 400], &[80, 40])?;
    let name = sizes::name(model);
    ctr_data::write_encoded(&dataset, export)?;
    let initial = Parameters::initialize(structure.parameters(), SEED, &Device::Cpu)?.snapshot()?;
    save_tensors(&initial, &export.join("initial.safetensors"))?;
    drop(initial);
    let order = epoch_order(&dataset.indices(Split::Train), SEED, 1);
    let bytes: Vec<u8> = order.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    std::fs::write(export.join("order.u32"), bytes)?;

    let epoch = |embedding_update| {
        // The log loss of the held-out samples after the epoch proves that the other half did the same work.
        let config = TrainingConfig {
            epochs: 1,
            batch_size: BATCH_SIZE,
            monitor: Monitor::Logloss,
            embedding_update,
            ..TrainingConfig::default()
        };
        let trained = train(&*structure, name, &dataset, &config, SEED, &Device::Cpu, None, &mut |_| {})?;
        Ok::<_, anyhow::Error>(trained.report.epochs[0])
    };
    let losses = |embedding_update| {
        let report = epoch(embedding_update)?;
        Ok::<_, anyhow::Error>(json!({ "train_loss": report.train_loss, "held_out_loss": report.validation }))
    };
    let ready = json!({
        "rows": steps * BATCH_SIZE,
        "batch_size": BATCH_SIZE,
        "learning_rate": TrainingConfig::default().optimizer.learning_rate,
        "flops_per_row": 6 * dense_weights(&structure.parameters(), history_length),
        "touched": losses(EmbeddingUpdate::Touched)?,
        "all": losses(EmbeddingUpdate::All)?,
    });
    serve(ready, || {
        let mut answer = json!({ "seconds": epoch(EmbeddingUpdate::Touched)?.train_seconds });
        if vocabulary <= LARGEST_TABLE_OF_DENSE_RULE {
            let seconds = epoch(EmbeddingUpdate::All)?.train_seconds;
            answer["others"] = json!({ "ctrbench, every row": { "seconds": seconds } });
        }
        Ok(answer)
    })
}

/// Weights that a sample is multiplied with, those of DIN's attention unit once per past item. Of the unit's first layer,
/// `[q, k, q - k, q * k] W`, only half the rows meet every past item; `q` meets its quarter once per sample.
pub fn dense_weights(parameters: &[ctr_nn::ParameterSpec], history_length: usize) -> usize {
    let matrices = parameters.iter().filter(|spec| spec.kind == ctr_nn::Kind::Dense && spec.shape.len() == 2);
    let multiplied = |spec: &ctr_nn::ParameterSpec| match spec.name.as_str() {
        "attention.0.weight" => spec.len() / 2 * history_length + spec.len() / 4,
        name if name.starts_with("attention") => spec.len() * history_length,
        _ => spec.len(),
    };
    matrices.map(multiplied).sum()
}

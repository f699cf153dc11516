//! Rows per second of cloud training.

use crate::{
    arguments::{Model, TrainingArguments},
    rounds::serve,
    sizes, start,
    uniform::uniform,
};
use anyhow::{Context, Result};
use candle_core::Device;
use ctr_data::{Dataset, Split};
use ctr_metrics::auc;
use ctr_nn::{CtrModel, Parameters};
use ctr_train::{EmbeddingUpdate, Monitor, TrainingConfig, epoch_order, predict, train};
use serde_json::{Value, json};
use std::path::Path;

const HISTORY_LENGTH: usize = 50;
const SEED: u64 = 1;
/// Table rows up to which the dense rule is timed as well.
const LARGEST_TABLE_OF_DENSE_RULE: u32 = 10_000;

/// One round is one epoch of `steps` batches from the initial weights, with row-sparse Adam, and where the table is small
/// one by the dense rule; or with that alone.
pub fn run(arguments: &TrainingArguments, device: &Device, export: &Path) -> Result<()> {
    let &TrainingArguments { model, vocabulary, steps, batch_size, held_out, touched_only, every_row } = arguments;
    let history_length = if model == Model::Din { HISTORY_LENGTH } else { 0 };
    let dataset = uniform(vocabulary, steps * batch_size, held_out, history_length);
    let structure = sizes::model(model, &dataset, &[400, 400, 400], &[80, 40])?;
    ctr_data::write_encoded(&dataset, export)?;
    start::write(&*structure, SEED, epoch_order(&dataset.indices(Split::Train), SEED, 1), export)?;

    let epoch = |embedding_update| {
        // The log loss of the held-out samples after the epoch proves that the other half did the same work.
        let config = TrainingConfig {
            epochs: 1,
            batch_size,
            monitor: Monitor::Logloss,
            embedding_update,
            ..TrainingConfig::default()
        };
        Ok::<_, anyhow::Error>(train(
            &*structure,
            sizes::name(model),
            &dataset,
            &config,
            SEED,
            device,
            None,
            &mut |_| {},
        )?)
    };
    let seconds = |embedding_update| {
        let trained = epoch(embedding_update)?;
        Ok::<_, anyhow::Error>(trained.report.train_seconds)
    };
    let judged = |embedding_update| {
        let trained = epoch(embedding_update)?;
        let report = &trained.report.epochs[0];
        let auc = held_out_auc(&*structure, &trained.parameters, &dataset, device)?;
        Ok::<_, anyhow::Error>(
            json!({ "train_loss": report.train_loss, "held_out_loss": report.validation, "auc": auc }),
        )
    };
    let touched = if every_row { Value::Null } else { judged(EmbeddingUpdate::Touched)? };
    let all = if touched_only { Value::Null } else { judged(EmbeddingUpdate::All)? };
    let ready = json!({
        "rows": steps * batch_size,
        "batch_size": batch_size,
        "learning_rate": TrainingConfig::default().optimizer.learning_rate,
        "flops_per_row": 6 * dense_weights(&structure.parameters(), history_length),
        "auc": if every_row { &all["auc"] } else { &touched["auc"] },
        "touched": touched,
        "all": all,
    });
    serve(ready, || {
        if every_row {
            return Ok(json!({ "seconds": seconds(EmbeddingUpdate::All)? }));
        }
        let mut answer = json!({ "seconds": seconds(EmbeddingUpdate::Touched)? });
        if vocabulary <= LARGEST_TABLE_OF_DENSE_RULE && !touched_only {
            answer["others"] = json!({ "ctrbench, every row": { "seconds": seconds(EmbeddingUpdate::All)? } });
        }
        Ok(answer)
    })
}

/// AUC of the held-out samples.
fn held_out_auc(structure: &dyn CtrModel, parameters: &Parameters, dataset: &Dataset, device: &Device) -> Result<f64> {
    let samples = dataset.indices(Split::Validation);
    let logits = predict(structure, parameters, dataset, &samples, device)?;
    let labels: Vec<u8> = samples.iter().map(|&sample| dataset.samples.label[sample as usize]).collect();
    auc(&logits, &labels).context("the held-out samples are of one class")
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

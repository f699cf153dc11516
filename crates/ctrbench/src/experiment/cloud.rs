//! One cloud model: trained, judged on the part that the configuration names, and its logits on every sample.

use super::{Experiment, model_input};
use crate::models;
use anyhow::{Context, Result};
use ctr_metrics::{Estimate, Scored, evaluate_with_intervals};
use ctr_nn::{CtrModel, Parameters};
use ctr_report::ModelRecord;
use ctr_train::{EmbeddingUpdate, EpochEvent, TrainingReport, predict, train};
use std::{collections::BTreeMap, fs, time::Instant};

/// A trained cloud model.
pub struct CloudModel {
    /// Its structure.
    pub model: Box<dyn CtrModel>,
    /// Its values.
    pub parameters: Parameters,
    /// Its logits by sample of the dataset.
    pub logits: Vec<f32>,
}

/// Trains (or takes over from the folder's checkpoints) the model `name` and records how that went.
pub fn train_cloud(experiment: &mut Experiment, name: &str, seed: u64) -> Result<CloudModel> {
    let Experiment { config, dataset, device, progress, .. } = &*experiment;
    let model = models::build(name, &config.model[name], &model_input(dataset))?;
    let checkpoints = experiment.results.folder.path().join("checkpoints");
    fs::create_dir_all(&checkpoints).with_context(|| format!("{} cannot be made", checkpoints.display()))?;
    let checkpoint = checkpoints.join(format!("{name}-seed{seed}.safetensors"));
    let identity = format!("{name} {}", config.model[name]);
    let mut on_epoch = |event: EpochEvent| {
        let (epoch, origin) = match event {
            EpochEvent::Restored(epoch) => (epoch, " (from the checkpoint)"),
            EpochEvent::Trained(epoch) => (epoch, ""),
        };
        progress.line(&format!(
            "{name}, seed {seed}, epoch {}: training log loss {:.5}, validation {} {:.5}, {:.1} s{origin}",
            epoch.epoch,
            epoch.train_loss,
            monitor_name(config.training.monitor),
            epoch.validation,
            epoch.train_seconds + epoch.validation_seconds
        ));
    };
    let trained = train(&*model, &identity, dataset, &config.training, seed, device, Some(&checkpoint), &mut on_epoch)
        .with_context(|| format!("training {name} with seed {seed}"))?;

    let clock = Instant::now();
    let samples: Vec<u32> = (0..dataset.len() as u32).collect();
    let logits = predict(&*model, &trained.parameters, dataset, &samples, device)
        .with_context(|| format!("scoring every sample with {name}, seed {seed}"))?;
    let predict_seconds = clock.elapsed().as_secs_f64();
    let metrics = judge_whole_part(experiment, &logits)?;
    if let Some(ne) = metrics.get("ne").map(|estimate| estimate.value).filter(|ne| *ne > 1.0) {
        experiment.progress.line(&format!(
            "{name}, seed {seed}: the cloud model's log loss is {ne:.3} times that of always predicting the share of positives; if it diverged, lower training.optimizer.learning_rate, else train it longer"
        ));
    }
    let record = model_record(experiment, name, seed, &trained.parameters, &trained.report, metrics);
    experiment.results.add_seconds("train", record.train_seconds);
    experiment.results.add_seconds("predict", predict_seconds);
    experiment.results.add_model(record)?;
    Ok(CloudModel { model, parameters: trained.parameters, logits })
}

fn monitor_name(monitor: ctr_train::Monitor) -> &'static str {
    match monitor {
        ctr_train::Monitor::Auc => "auc",
        ctr_train::Monitor::Gauc => "gauc",
        ctr_train::Monitor::Logloss => "logloss",
    }
}

/// Metrics over the whole judged part, users that are not fine-tuned included.
fn judge_whole_part(experiment: &Experiment, logits: &[f32]) -> Result<BTreeMap<String, Estimate>> {
    let samples = &experiment.dataset.samples;
    let judged = experiment.dataset.indices(experiment.config.judged_part.split());
    let labels: Vec<u8> = judged.iter().map(|&i| samples.label[i as usize]).collect();
    let logits: Vec<f32> = judged.iter().map(|&i| logits[i as usize]).collect();
    let user = |i: usize| samples.user[judged[i] as usize];
    // Without users samples are drawn for the intervals, and no metric within users is defined.
    let is_apart = |i: usize| i == 0 || user(i) != user(i - 1) || !experiment.dataset.has_users();
    let mut offsets: Vec<usize> = (0..judged.len()).filter(|&i| is_apart(i)).collect();
    offsets.push(judged.len());
    let scored = Scored::new(&logits, &labels, &offsets)?;
    let evaluation = evaluate_with_intervals(&scored, None, &experiment.config.bootstrap)?;
    Ok(evaluation.metrics.into_iter().map(|(metric, estimate)| (metric.name().to_owned(), estimate)).collect())
}

fn model_record(
    experiment: &Experiment,
    name: &str,
    seed: u64,
    parameters: &Parameters,
    report: &TrainingReport,
    metrics: BTreeMap<String, Estimate>,
) -> ModelRecord {
    let training = &experiment.config.training;
    let mut train_devices: Vec<String> = report.epochs.iter().map(|epoch| epoch.device.clone()).collect();
    train_devices.dedup();
    ModelRecord {
        model: name.into(),
        seed,
        parameters: parameters.count(),
        epochs_run: report.epochs.len() as u64,
        best_epoch: report.best_epoch as u64,
        embedding_update: match training.embedding_update {
            EmbeddingUpdate::Touched => "row-sparse",
            EmbeddingUpdate::All => "dense",
        }
        .into(),
        optimizer: format!("{:?}", training.optimizer.algorithm).to_lowercase(),
        train_seconds: report.train_seconds,
        train_rows_per_second: report.rows_per_second,
        train_devices,
        train_metric_history: report.epochs.iter().map(|epoch| epoch.validation).collect(),
        metrics,
    }
}

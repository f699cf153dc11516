//! One cell of the comparison: a method's scores judged against the cloud's.

use super::{curve::Target, records::CellLabel, records::excluded_counts};
use anyhow::Result;
use ctr_data::Dataset;
use ctr_metrics::{Bootstrap, Estimate, Metric, MetricError, Resampled, Scored, sample_logloss, user_auc};
use ctr_personalize::{CLOUD, FineTuned, Method, Tasks};
use ctr_report::{CellRecord, CurvePoint, UserBlock, UserRow};
use std::collections::BTreeMap;

/// What is needed to judge any scores of the same users.
pub struct Judge<'a> {
    pub tasks: &'a Tasks,
    pub labels: Vec<u8>,
    pub offsets: Vec<usize>,
    pub bootstrap: &'a Bootstrap,
}

/// What a method is held against: the cloud's logits, judged on all users and on those of each target CTR.
pub struct Baseline<'a> {
    pub logits: &'a [f32],
    pub all_users: Resampled<'a>,
    pub targets: Vec<(&'a Target, Resampled<'a>)>,
}

/// A cell, its part of the drift curve, and its rows of the per-user files.
pub struct Outcome {
    pub cell: CellRecord,
    pub curve: Vec<CurvePoint>,
    pub users: UserBlock,
}

impl<'a> Judge<'a> {
    pub fn new(dataset: &Dataset, tasks: &'a Tasks, bootstrap: &'a Bootstrap) -> Self {
        let labels = tasks.judged_samples().iter().map(|&i| dataset.samples.label[i as usize]).collect();
        Self { tasks, labels, offsets: tasks.judged_offsets(), bootstrap }
    }

    /// Metrics of these logits, resampled over users.
    pub fn resample<'s>(&'s self, logits: &'s [f32]) -> Result<Resampled<'s>, MetricError> {
        Resampled::new(&Scored::new(logits, &self.labels, &self.offsets)?, self.bootstrap)
    }
}

/// The baseline's own cell.
pub fn judge_cloud(judge: &Judge, label: &CellLabel, baseline: &Baseline) -> Outcome {
    let cell = cell(judge, label, CLOUD, named(baseline.all_users.metrics()), BTreeMap::new());
    let seconds = vec![0.0; judge.tasks.users.len()];
    let point = |(target, resampled): &(&Target, Resampled)| target.cloud_point(label, CLOUD, resampled);
    Outcome {
        cell,
        curve: baseline.targets.iter().map(point).collect(),
        users: block(judge, label, CLOUD, baseline.logits, baseline.logits, &seconds),
    }
}

/// A method's cell.
pub fn judge_method(
    judge: &Judge,
    label: &CellLabel,
    method: &Method,
    baseline: &Baseline,
    tuned: &FineTuned,
    fine_tune_seconds: f64,
) -> Result<Outcome> {
    let resampled = judge.resample(&tuned.logits)?;
    let cell = CellRecord {
        one_class_users_clamped: tuned.one_class_users_clamped,
        fine_tune_seconds,
        users_per_second: judge.tasks.users.len() as f64 / fine_tune_seconds,
        ..cell(
            judge,
            label,
            &method.name,
            named(resampled.metrics()),
            named(resampled.change_from(&baseline.all_users)?),
        )
    };
    let point = |(target, of_cloud): &(&Target, Resampled)| {
        target.method_point(judge, label, &method.name, of_cloud, &tuned.logits)
    };
    Ok(Outcome {
        cell,
        curve: baseline.targets.iter().map(point).collect::<Result<_, _>>()?,
        users: block(judge, label, &method.name, baseline.logits, &tuned.logits, &tuned.user_seconds),
    })
}

fn cell(
    judge: &Judge,
    label: &CellLabel,
    method: &str,
    metrics: BTreeMap<String, Estimate>,
    change: BTreeMap<String, Estimate>,
) -> CellRecord {
    CellRecord {
        model: label.model.into(),
        seed: label.seed,
        protocol: label.protocol.into(),
        method: method.into(),
        users_evaluated: judge.tasks.users.len() as u64,
        users_excluded: excluded_counts(judge.tasks),
        one_class_users_clamped: 0,
        metrics,
        change,
        fine_tune_seconds: 0.0,
        users_per_second: 0.0,
    }
}

/// By the metrics' names.
pub fn named<T>(by_metric: BTreeMap<Metric, T>) -> BTreeMap<String, T> {
    by_metric.into_iter().map(|(metric, value)| (metric.name().to_owned(), value)).collect()
}

fn block(
    judge: &Judge,
    label: &CellLabel,
    method: &str,
    cloud_logits: &[f32],
    logits: &[f32],
    seconds: &[f32],
) -> UserBlock {
    let rows =
        judge.tasks.users.iter().zip(judge.tasks.judged_ranges()).zip(seconds).map(|((task, range), seconds)| {
            let labels = &judge.labels[range.clone()];
            // Both classes are present in every task's samples to rank, so the AUC is defined.
            let auc = |logits: &[f32]| user_auc(&logits[range.clone()], labels).unwrap_or(f64::NAN);
            let logloss = |logits: &[f32]| {
                let losses = logits[range.clone()].iter().zip(labels).map(|(z, y)| sample_logloss(*z, *y));
                losses.sum::<f64>() / labels.len() as f64
            };
            UserRow {
                user: task.user,
                local_samples: task.local.len() as u32,
                judged_samples: task.judged.len() as u32,
                local_ctr: task.local_ctr,
                target_ctr: task.target_ctr,
                auc_cloud: auc(cloud_logits),
                auc: auc(logits),
                logloss_cloud: logloss(cloud_logits),
                logloss: logloss(logits),
                seconds: f64::from(*seconds),
            }
        });
    UserBlock {
        model: label.model.into(),
        protocol: label.protocol.into(),
        method: method.into(),
        seed: label.seed,
        rows: rows.collect(),
    }
}

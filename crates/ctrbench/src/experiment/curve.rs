//! The planted-drift curve: metrics of the users that share a target CTR.

use super::{cell::Judge, records::CellLabel};
use ctr_metrics::{Metric, Scored, evaluate};
use ctr_report::CurvePoint;
use std::collections::BTreeMap;

/// One point per target CTR; none under a protocol that plants no drift. `cloud_logits` gives the change from the cloud.
pub fn curve_points(
    judge: &Judge,
    label: &CellLabel,
    method: &str,
    logits: &[f32],
    cloud_logits: Option<&[f32]>,
) -> Vec<CurvePoint> {
    let mut targets: Vec<f64> = judge.tasks.users.iter().filter_map(|task| task.target_ctr).collect();
    targets.sort_by(f64::total_cmp);
    targets.dedup();
    let point = |target_ctr: f64| {
        let users: Vec<usize> =
            (0..judge.tasks.users.len()).filter(|&i| judge.tasks.users[i].target_ctr == Some(target_ctr)).collect();
        let metrics = metrics_of(judge, &users, logits);
        let cloud = cloud_logits.map(|logits| metrics_of(judge, &users, logits)).unwrap_or_default();
        let change =
            metrics.iter().filter_map(|(name, value)| Some((name.clone(), value - cloud.get(name)?))).collect();
        CurvePoint {
            model: label.model.into(),
            seed: label.seed,
            method: method.into(),
            target_ctr,
            users: users.len() as u64,
            metrics,
            change,
        }
    };
    targets.into_iter().map(point).collect()
}

fn metrics_of(judge: &Judge, users: &[usize], logits: &[f32]) -> BTreeMap<String, f64> {
    let mut part = (Vec::new(), Vec::new(), vec![0]);
    for &user in users {
        let range = judge.offsets[user]..judge.offsets[user + 1];
        part.0.extend_from_slice(&logits[range.clone()]);
        part.1.extend_from_slice(&judge.labels[range]);
        part.2.push(part.0.len());
    }
    // The scores were checked when the whole cell was judged, and every user of a task has samples to rank.
    let metrics: BTreeMap<Metric, f64> =
        Scored::new(&part.0, &part.1, &part.2).and_then(|scored| evaluate(&scored)).unwrap_or_default();
    metrics.into_iter().map(|(metric, value)| (metric.name().to_owned(), value)).collect()
}

//! The planted-drift curve: metrics of the users that share a target CTR.

use super::{
    cell::{Judge, named},
    records::CellLabel,
};
use ctr_metrics::{Bootstrap, MetricError, Resampled, Scored};
use ctr_personalize::Tasks;
use ctr_report::CurvePoint;
use std::collections::BTreeMap;

/// The users of one target CTR with their samples to rank.
pub struct Target {
    ctr: f64,
    /// Positions in the tasks.
    users: Vec<usize>,
    labels: Vec<u8>,
    offsets: Vec<usize>,
    cloud_logits: Vec<f32>,
}

impl Target {
    /// From the lowest target CTR to the highest; none under a protocol that plants no drift.
    pub fn all(judge: &Judge, cloud_logits: &[f32]) -> Vec<Self> {
        let mut ctrs: Vec<f64> = judge.tasks.users.iter().filter_map(|task| task.target_ctr).collect();
        ctrs.sort_by(f64::total_cmp);
        ctrs.dedup();
        ctrs.into_iter().map(|ctr| Self::new(judge, cloud_logits, ctr)).collect()
    }

    fn new(judge: &Judge, cloud_logits: &[f32], ctr: f64) -> Self {
        let Tasks { users, .. } = judge.tasks;
        let users: Vec<usize> = (0..users.len()).filter(|&i| users[i].target_ctr == Some(ctr)).collect();
        let offsets = users.iter().scan(0, |end, &user| {
            *end += judge.offsets[user + 1] - judge.offsets[user];
            Some(*end)
        });
        Self {
            ctr,
            labels: of_users(&judge.labels, &judge.offsets, &users),
            offsets: std::iter::once(0).chain(offsets).collect(),
            cloud_logits: of_users(cloud_logits, &judge.offsets, &users),
            users,
        }
    }

    /// Metrics of the cloud's logits, resampled over users.
    pub fn resample_cloud(&self, bootstrap: &Bootstrap) -> Result<Resampled<'_>, MetricError> {
        self.resample(&self.cloud_logits, bootstrap)
    }

    fn resample<'s>(&'s self, logits: &'s [f32], bootstrap: &Bootstrap) -> Result<Resampled<'s>, MetricError> {
        Resampled::new(&Scored::new(logits, &self.labels, &self.offsets)?, bootstrap)
    }

    fn point(&self, label: &CellLabel, method: &str) -> CurvePoint {
        CurvePoint {
            model: label.model.into(),
            seed: label.seed,
            method: method.into(),
            target_ctr: self.ctr,
            users: self.users.len() as u64,
            metrics: BTreeMap::new(),
            change: BTreeMap::new(),
        }
    }

    /// The cloud's own point.
    pub fn cloud_point(&self, label: &CellLabel, method: &str, baseline: &Resampled) -> CurvePoint {
        CurvePoint { metrics: named(baseline.metrics()), ..self.point(label, method) }
    }

    /// A method's point, from its logits of all users.
    pub fn method_point(
        &self,
        judge: &Judge,
        label: &CellLabel,
        method: &str,
        baseline: &Resampled,
        logits: &[f32],
    ) -> Result<CurvePoint, MetricError> {
        let logits = of_users(logits, &judge.offsets, &self.users);
        let resampled = self.resample(&logits, judge.bootstrap)?;
        let change = named(resampled.change_from(baseline)?);
        Ok(CurvePoint { metrics: named(resampled.metrics()), change, ..self.point(label, method) })
    }
}

/// What belongs to these users' samples, one user after the other.
fn of_users<T: Copy>(samples: &[T], offsets: &[usize], users: &[usize]) -> Vec<T> {
    users.iter().flat_map(|&user| &samples[offsets[user]..offsets[user + 1]]).copied().collect()
}

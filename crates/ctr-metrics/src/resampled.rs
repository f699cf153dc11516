//! Every metric of one evaluation on every bootstrap resample.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::auc::PooledRanking;
use crate::totals::Totals;
use crate::user_statistics::UserStatistics;
use crate::{
    Bootstrap, Estimate, Metric, MetricError, Scored, auc_user_mean, calibration_ratio, ece, gauc, logloss, ndcg, ne,
};

/// One value per metric, in the order of [`Metric::ALL`]; `None` where the samples do not define it.
type Values = [Option<f64>; Metric::ALL.len()];

/// The metrics of one evaluation, on all users and on each resample of them.
///
/// Two evaluations of the same users, samples and bootstrap share their resamples, so that their difference is paired.
/// Keep the baseline's to compare many candidates with it.
pub struct Resampled<'a> {
    scored: Scored<'a>,
    bootstrap: Bootstrap,
    all_users: Values,
    draws: Vec<Values>,
}

impl<'a> Resampled<'a> {
    /// Evaluates all resamples, in parallel within the caller's rayon pool; the values do not depend on its size.
    ///
    /// The samples are sorted once. A resample takes one pass over them and one over the users.
    ///
    /// # Errors
    /// Scores or settings that make no evaluation ([`Scored::check`]).
    pub fn new(scored: &Scored<'a>, bootstrap: &Bootstrap) -> Result<Self, MetricError> {
        scored.check()?;
        bootstrap.check()?;
        let prepared = Prepared::new(scored);
        let users = scored.users();
        let draws = (0..bootstrap.resamples)
            .into_par_iter()
            .map_init(
                || vec![0; users],
                |multiplicity, resample| {
                    bootstrap.draw(resample, multiplicity);
                    prepared.values(multiplicity)
                },
            )
            .collect();
        Ok(Self { scored: *scored, bootstrap: *bootstrap, all_users: prepared.values(&vec![1; users]), draws })
    }

    /// Each metric on all users with its interval. A resample that does not define a metric is left out of its interval;
    /// a metric that fewer than half of the resamples define is left out altogether.
    pub fn metrics(&self) -> BTreeMap<Metric, Estimate> {
        self.estimates(|values, metric| values[metric], &self.all_users, self.draws.iter())
    }

    /// The change of each metric from `baseline`, this value minus the baseline's, with the interval of that difference
    /// over the same resamples.
    ///
    /// # Errors
    /// [`MetricError::BaselineDiffers`] if users, labels or bootstrap settings are not the same.
    pub fn change_from(&self, baseline: &Resampled) -> Result<BTreeMap<Metric, Estimate>, MetricError> {
        let differs = |what| Err(MetricError::BaselineDiffers { what });
        if self.scored.user_offsets != baseline.scored.user_offsets {
            return differs("user offsets");
        }
        if self.scored.labels != baseline.scored.labels {
            return differs("labels");
        }
        if self.bootstrap != baseline.bootstrap {
            return differs("bootstrap settings");
        }
        Ok(self.estimates(
            |(candidate, baseline), metric| Some(candidate[metric]? - baseline[metric]?),
            (&self.all_users, &baseline.all_users),
            self.draws.iter().zip(&baseline.draws),
        ))
    }

    fn estimates<V: Copy>(
        &self,
        value_of: impl Fn(V, usize) -> Option<f64>,
        all_users: V,
        draws: impl Iterator<Item = V> + Clone,
    ) -> BTreeMap<Metric, Estimate> {
        let estimate = |index| {
            let value = value_of(all_users, index)?;
            let defined: Vec<f64> = draws.clone().filter_map(|draw| value_of(draw, index)).collect();
            let enough = 2 * defined.len() >= self.bootstrap.resamples;
            enough.then(|| Estimate::percentile(value, defined, self.bootstrap.confidence))
        };
        (0..Metric::ALL.len()).filter_map(|index| Some((Metric::ALL[index], estimate(index)?))).collect()
    }
}

/// An evaluation reduced to what a resample needs.
pub(crate) struct Prepared {
    users: Vec<UserStatistics>,
    ranking: PooledRanking,
}

impl Prepared {
    pub(crate) fn new(scored: &Scored) -> Self {
        Self {
            users: scored.by_user().map(|(logits, labels)| UserStatistics::new(logits, labels)).collect(),
            ranking: PooledRanking::new(scored),
        }
    }

    /// Every metric when user `u` counts `multiplicity[u]` times.
    pub(crate) fn values(&self, multiplicity: &[u32]) -> Values {
        let totals = Totals::weighted(&self.users, multiplicity);
        Metric::ALL.map(|metric| match metric {
            Metric::Gauc => gauc::from_totals(&totals),
            Metric::AucUserMean => auc_user_mean::from_totals(&totals),
            Metric::Auc => self.ranking.weighted_auc(multiplicity),
            Metric::LogLoss => logloss::from_totals(&totals),
            Metric::Ne => ne::from_totals(&totals),
            Metric::Ece => ece::from_totals(&totals),
            Metric::CalibrationRatio => calibration_ratio::from_totals(&totals),
            Metric::NdcgAt10 => ndcg::from_totals(&totals),
        })
    }
}

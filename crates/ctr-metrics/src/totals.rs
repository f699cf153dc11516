//! Sums over the users of one resample, each counted as often as it was drawn.

use crate::ece::ECE_BINS;
use crate::user_statistics::UserStatistics;

/// What every metric but the pooled AUC is computed from.
#[derive(Default)]
pub(crate) struct Totals {
    pub(crate) samples: u64,
    pub(crate) positives: u64,
    pub(crate) loss: f64,
    pub(crate) predicted_clicks: f64,
    pub(crate) residual: [f64; ECE_BINS],
    /// Users with both classes, and their samples.
    pub(crate) rankable_users: u64,
    pub(crate) rankable_samples: u64,
    pub(crate) auc: f64,
    pub(crate) auc_times_samples: f64,
    pub(crate) ndcg: f64,
}

impl Totals {
    /// Adds the users up in user order, user `u` counted `multiplicity[u]` times.
    pub(crate) fn weighted(users: &[UserStatistics], multiplicity: &[u32]) -> Self {
        let mut totals = Self::default();
        for (user, &count) in users.iter().zip(multiplicity) {
            if count > 0 {
                totals.add(user, count);
            }
        }
        totals
    }

    fn add(&mut self, user: &UserStatistics, count: u32) {
        let (whole, times) = (u64::from(count), f64::from(count));
        self.samples += whole * user.samples;
        self.positives += whole * user.positives;
        self.loss += times * user.loss;
        self.predicted_clicks += times * user.predicted_clicks;
        for (sum, residual) in self.residual.iter_mut().zip(&user.residual) {
            *sum += times * residual;
        }
        if let Some(ranking) = &user.ranking {
            self.rankable_users += whole;
            self.rankable_samples += whole * user.samples;
            self.auc += times * ranking.auc;
            self.auc_times_samples += times * ranking.auc * user.samples as f64;
            self.ndcg += times * ranking.ndcg;
        }
    }
}

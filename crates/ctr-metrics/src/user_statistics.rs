//! What a user adds to every metric but the pooled AUC: computed once, added up in each bootstrap resample.

use crate::ece::{self, ECE_BINS};
use crate::logloss::{sample_logloss, sigmoid};
use crate::ndcg::{NDCG_CUTOFF, user_ndcg};
use crate::user_auc;

/// Sums over one user's samples.
pub(crate) struct UserStatistics {
    pub(crate) samples: u64,
    pub(crate) positives: u64,
    /// Sum of the log loss, nats.
    pub(crate) loss: f64,
    /// Sum of the predicted probabilities.
    pub(crate) predicted_clicks: f64,
    /// Sum of label minus prediction per calibration bin.
    pub(crate) residual: [f64; ECE_BINS],
    /// AUC and NDCG, for a user with both classes.
    pub(crate) ranking: Option<UserRanking>,
}

pub(crate) struct UserRanking {
    pub(crate) auc: f64,
    pub(crate) ndcg: f64,
}

impl UserStatistics {
    pub(crate) fn new(logits: &[f32], labels: &[u8]) -> Self {
        let mut statistics = Self {
            samples: labels.len() as u64,
            positives: 0,
            loss: 0.0,
            predicted_clicks: 0.0,
            residual: [0.0; ECE_BINS],
            ranking: user_auc(logits, labels)
                .zip(user_ndcg(logits, labels, NDCG_CUTOFF))
                .map(|(auc, ndcg)| UserRanking { auc, ndcg }),
        };
        for (&logit, &label) in logits.iter().zip(labels) {
            let probability = sigmoid(logit);
            statistics.positives += u64::from(label);
            statistics.loss += sample_logloss(logit, label);
            statistics.predicted_clicks += probability;
            statistics.residual[ece::bin(probability)] += f64::from(label) - probability;
        }
        statistics
    }
}

//! How many users the ranking metrics count, and why they leave out the others.

use serde::{Deserialize, Serialize};

use crate::Scored;

/// Users of one evaluation by what their labels allow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserCounts {
    /// Users with both classes: those that `gauc`, `auc_user_mean` and `ndcg@10` count.
    pub both_classes: u64,
    /// Users whose samples are all positive.
    pub all_positive: u64,
    /// Users whose samples are all negative.
    pub all_negative: u64,
    /// Users without samples.
    pub no_samples: u64,
}

impl UserCounts {
    /// Counts the users of `scored`.
    pub fn of(scored: &Scored) -> Self {
        let mut counts = Self::default();
        for (_, labels) in scored.by_user() {
            let positives = labels.iter().filter(|&&label| label == 1).count();
            let counter = match (positives, labels.len()) {
                (_, 0) => &mut counts.no_samples,
                (0, _) => &mut counts.all_negative,
                (positives, samples) if positives == samples => &mut counts.all_positive,
                _ => &mut counts.both_classes,
            };
            *counter += 1;
        }
        counts
    }
}

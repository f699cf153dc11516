//! Group AUC: the mean of the users' own AUC, weighted by their impressions (Zhou et al. 2018, 1706.06978, eq. 7).

use crate::totals::Totals;
use crate::{Scored, user_auc};

/// Mean of each user's AUC weighted by its number of samples, over the users with both classes; the others have no AUC
/// and are left out. `None` if no user has both classes.
pub fn gauc(scored: &Scored) -> Option<f64> {
    let (mut weighted, mut impressions) = (0.0, 0);
    for (logits, labels) in scored.by_user() {
        if let Some(auc) = user_auc(logits, labels) {
            weighted += auc * labels.len() as f64;
            impressions += labels.len();
        }
    }
    (impressions > 0).then(|| weighted / impressions as f64)
}

pub(crate) fn from_totals(totals: &Totals) -> Option<f64> {
    (totals.rankable_samples > 0).then(|| totals.auc_times_samples / totals.rankable_samples as f64)
}

//! Plain mean of the users' own AUC: every user counts the same, however many samples it has.

use crate::totals::Totals;
use crate::{Scored, user_auc};

/// Mean of each user's AUC over the users with both classes. `None` if there is none.
pub fn auc_user_mean(scored: &Scored) -> Option<f64> {
    let aucs: Vec<f64> = scored.by_user().filter_map(|(logits, labels)| user_auc(logits, labels)).collect();
    (!aucs.is_empty()).then(|| aucs.iter().sum::<f64>() / aucs.len() as f64)
}

pub(crate) fn from_totals(totals: &Totals) -> Option<f64> {
    (totals.rankable_users > 0).then(|| totals.auc / totals.rankable_users as f64)
}

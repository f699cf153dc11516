//! Normalised discounted cumulative gain of each user's ranking: binary gain, discount `1 / log2(rank + 1)`.
//!
//! Tied samples share the mean gain of the ranks they occupy, that is, the expected value over all orders of the tie
//! (McSherry and Najork 2008; scikit-learn's `ndcg_score` does the same), so that no value depends on the sample order.

use crate::Scored;
use crate::ranking::{ascending, tie_groups};
use crate::totals::Totals;

/// The cut-off of [`ndcg_at_10`].
pub const NDCG_CUTOFF: usize = 10;

/// Mean of [`user_ndcg`] at 10 over the users with both classes. `None` if there is none.
pub fn ndcg_at_10(scored: &Scored) -> Option<f64> {
    let values: Vec<f64> =
        scored.by_user().filter_map(|(logits, labels)| user_ndcg(logits, labels, NDCG_CUTOFF)).collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// NDCG of one user's samples ranked by logit, over the first `cutoff` ranks. `None` unless both classes are present:
/// with one class every order is equally good.
pub fn user_ndcg(logits: &[f32], labels: &[u8], cutoff: usize) -> Option<f64> {
    let positives = labels.iter().filter(|&&label| label == 1).count();
    if positives == 0 || positives == labels.len() || cutoff == 0 {
        return None;
    }
    let order = ascending(logits);
    let mut gain = 0.0;
    let mut ranks_used = 0;
    for group in tie_groups(&order, logits).rev() {
        if ranks_used >= cutoff {
            break;
        }
        let group_positives = group.iter().filter(|&&sample| labels[sample as usize] == 1).count();
        let ranks = ranks_used..(ranks_used + group.len()).min(cutoff);
        gain += group_positives as f64 / group.len() as f64 * discounts(ranks);
        ranks_used += group.len();
    }
    Some(gain / discounts(0..positives.min(cutoff)))
}

/// Sum of the discounts of zero-based ranks.
fn discounts(ranks: std::ops::Range<usize>) -> f64 {
    ranks.map(|rank| 1.0 / (rank as f64 + 2.0).log2()).sum()
}

pub(crate) fn from_totals(totals: &Totals) -> Option<f64> {
    (totals.rankable_users > 0).then(|| totals.ndcg / totals.rankable_users as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_with_one_class_has_no_ndcg() {
        assert_eq!(user_ndcg(&[0.1, 0.2], &[1, 1], 10), None);
        assert_eq!(user_ndcg(&[0.1, 0.2], &[0, 0], 10), None);
    }

    #[test]
    fn a_perfect_order_scores_one_and_hits_below_the_cutoff_score_nothing() {
        assert_eq!(user_ndcg(&[3.0, 2.0, 1.0, 0.0], &[1, 1, 0, 0], 10), Some(1.0));
        assert_eq!(user_ndcg(&[3.0, 2.0, 1.0, 0.0], &[0, 0, 1, 1], 2), Some(0.0));
    }

    /// ```python
    /// from sklearn.metrics import ndcg_score
    /// ndcg_score([[0, 1, 1, 0, 1, 0, 0, 1]], [[2.0, 2.0, 2.0, 1.0, 0.5, 0.5, 0.0, -1.0]], k=5)
    /// ```
    #[test]
    fn a_tie_across_the_cutoff_counts_its_mean_gain() {
        let logits = [2.0, 2.0, 2.0, 1.0, 0.5, 0.5, 0.0, -1.0];
        let ndcg = user_ndcg(&logits, &[0, 1, 1, 0, 1, 0, 0, 1], 5).expect("both classes");
        assert!((ndcg - 0.6300914515998243).abs() < 1e-15, "{ndcg}");
    }
}

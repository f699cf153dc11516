//! Area under the ROC curve of the planted probabilities.

/// AUC of `scores` against 0/1 `labels`, ties by mid-rank; nothing if one class is absent.
///
/// The models' metrics live in `ctr-metrics`; this one serves only the Bayes ceiling of a
/// synthetic dataset, whose scores are probabilities and never saturate.
pub(crate) fn auc(scores: &[f32], labels: &[u8]) -> Option<f64> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_unstable_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let positives = labels.iter().filter(|label| **label == 1).count();
    let negatives = labels.len() - positives;
    if positives == 0 || negatives == 0 {
        return None;
    }
    let (mut rank_sum, mut start) = (0.0, 0);
    while start < order.len() {
        let tied = order[start..].iter().take_while(|&&i| scores[i] == scores[order[start]]).count();
        let mid_rank = start as f64 + (tied as f64 + 1.0) / 2.0;
        let tied_positives = order[start..start + tied].iter().filter(|&&i| labels[i] == 1).count();
        rank_sum += mid_rank * tied_positives as f64;
        start += tied;
    }
    let (positives, negatives) = (positives as f64, negatives as f64);
    Some((rank_sum - positives * (positives + 1.0) / 2.0) / (positives * negatives))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_count_half() {
        // sklearn.metrics.roc_auc_score([0, 0, 1, 1, 1, 0], [.1, .4, .4, .8, .2, .7]) == 0.6111111111111112
        let auc = auc(&[0.1, 0.4, 0.4, 0.8, 0.2, 0.7], &[0, 0, 1, 1, 1, 0]).unwrap();
        assert!((auc - 0.611_111_111_111_111_2).abs() < 1e-12, "{auc}");
        assert_eq!(super::auc(&[0.1, 0.2], &[1, 1]), None);
    }
}

//! Area under the ROC curve.
//!
//! The chance that a random positive sample scores above a random negative one, a tie counting one half (mid-rank).
//! Pair counts are kept as integers, so that the value does not depend on the order of the samples.

use crate::Scored;
use crate::ranking::{ascending, tie_groups};

/// AUC over all samples given. `None` unless both classes are present. Logits must be finite, labels 0 or 1.
pub fn auc(logits: &[f32], labels: &[u8]) -> Option<f64> {
    let order = ascending(logits);
    let mut pairs = PairCount::default();
    for group in tie_groups(&order, logits) {
        let positives = group.iter().filter(|&&sample| labels[sample as usize] == 1).count() as u64;
        pairs.add_tie_group(positives, group.len() as u64 - positives);
    }
    pairs.auc()
}

/// AUC of one user's samples: [`auc`] under the name that per-user tables use.
pub fn user_auc(logits: &[f32], labels: &[u8]) -> Option<f64> {
    auc(logits, labels)
}

/// Counts the pairs (positive, negative) that are ranked rightly, from the lowest logit upwards.
#[derive(Default)]
struct PairCount {
    positives: u64,
    negatives: u64,
    /// Twice the pairs ranked rightly, so that a tied pair counts 1.
    twice_won: u64,
}

impl PairCount {
    #[inline]
    fn add_tie_group(&mut self, positives: u64, negatives: u64) {
        self.twice_won += positives * (2 * self.negatives + negatives);
        self.positives += positives;
        self.negatives += negatives;
    }

    fn auc(&self) -> Option<f64> {
        let pairs = self.positives * self.negatives;
        (pairs > 0).then(|| self.twice_won as f64 / (2.0 * pairs as f64))
    }
}

/// All samples in ascending order of logit, reduced to what the AUC of a bootstrap resample needs: a resample changes
/// how often each user counts and never the order, so each one takes a linear pass.
pub(crate) struct PooledRanking {
    samples: Vec<RankedSample>,
}

#[derive(Clone, Copy)]
struct RankedSample {
    user: u32,
    positive: bool,
    ends_tie_group: bool,
}

impl PooledRanking {
    pub(crate) fn new(scored: &Scored) -> Self {
        let user_of_sample: Vec<u32> = scored
            .user_offsets
            .windows(2)
            .enumerate()
            .flat_map(|(user, ends)| std::iter::repeat_n(user as u32, ends[1] - ends[0]))
            .collect();
        let order = ascending(scored.logits);
        let mut samples = Vec::with_capacity(order.len());
        for group in tie_groups(&order, scored.logits) {
            samples.extend(group.iter().enumerate().map(|(position, &sample)| RankedSample {
                user: user_of_sample[sample as usize],
                positive: scored.labels[sample as usize] == 1,
                ends_tie_group: position + 1 == group.len(),
            }));
        }
        Self { samples }
    }

    /// AUC when every sample of user `u` counts `multiplicity[u]` times.
    pub(crate) fn weighted_auc(&self, multiplicity: &[u32]) -> Option<f64> {
        let mut pairs = PairCount::default();
        let (mut positives, mut negatives) = (0, 0);
        for sample in &self.samples {
            let count = u64::from(multiplicity[sample.user as usize]);
            // Without a branch: labels in order of the logit are as good as random to a branch predictor.
            let positive = count * u64::from(sample.positive);
            positives += positive;
            negatives += count - positive;
            if sample.ends_tie_group {
                pairs.add_tie_group(positives, negatives);
                (positives, negatives) = (0, 0);
            }
        }
        pairs.auc()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_class_has_no_auc() {
        assert_eq!(auc(&[0.1, 0.2], &[1, 1]), None);
        assert_eq!(auc(&[0.1, 0.2], &[0, 0]), None);
        assert_eq!(auc(&[], &[]), None);
    }

    /// Samples on a coarse grid of logits, so that ties are common.
    fn samples() -> impl Strategy<Value = Vec<(f32, u8)>> {
        prop::collection::vec(((-6i8..6).prop_map(|z| f32::from(z) * 0.5), 0u8..2), 1..50)
    }

    proptest! {
        #[test]
        fn auc_is_the_share_of_pairs_ranked_rightly(samples in samples()) {
            let (logits, labels): (Vec<f32>, Vec<u8>) = samples.iter().copied().unzip();
            let (mut won, mut pairs) = (0.0, 0.0);
            for positive in samples.iter().filter(|sample| sample.1 == 1) {
                for negative in samples.iter().filter(|sample| sample.1 == 0) {
                    pairs += 1.0;
                    won += if positive.0 > negative.0 { 1.0 } else if positive.0 == negative.0 { 0.5 } else { 0.0 };
                }
            }
            // Halves add up exactly, so both sides round once, in the same division.
            prop_assert_eq!(auc(&logits, &labels), (pairs > 0.0).then(|| won / pairs));
        }

        #[test]
        fn a_monotone_map_of_the_logits_changes_nothing(samples in samples()) {
            let (logits, labels): (Vec<f32>, Vec<u8>) = samples.iter().copied().unzip();
            let mapped: Vec<f32> = logits.iter().map(|z| z.exp() * 3.0 - 7.0).collect();
            prop_assert_eq!(auc(&logits, &labels), auc(&mapped, &labels));
        }

        #[test]
        fn a_user_counted_k_times_equals_its_samples_repeated_k_times(
            users in prop::collection::vec((samples(), 0u32..4), 1..6),
        ) {
            let multiplicity: Vec<u32> = users.iter().map(|user| user.1).collect();
            let mut offsets = vec![0];
            let (mut logits, mut labels) = (Vec::new(), Vec::new());
            let (mut repeated_logits, mut repeated_labels) = (Vec::new(), Vec::new());
            for (samples, count) in &users {
                logits.extend(samples.iter().map(|sample| sample.0));
                labels.extend(samples.iter().map(|sample| sample.1));
                offsets.push(logits.len());
                for _ in 0..*count {
                    repeated_logits.extend(samples.iter().map(|sample| sample.0));
                    repeated_labels.extend(samples.iter().map(|sample| sample.1));
                }
            }
            let scored = Scored::new(&logits, &labels, &offsets).expect("sound");
            prop_assert_eq!(
                PooledRanking::new(&scored).weighted_auc(&multiplicity),
                auc(&repeated_logits, &repeated_labels)
            );
        }
    }
}

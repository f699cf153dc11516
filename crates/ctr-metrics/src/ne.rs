//! Normalised entropy: log loss over that of always predicting the label rate (He et al. 2014, "Practical Lessons from
//! Predicting Clicks on Ads at Facebook"). Below 1 the model knows more than the rate.

use crate::logloss::{self, logloss};
use crate::totals::Totals;

/// Log loss divided by the entropy of the label rate. `None` unless both classes are present.
pub fn ne(logits: &[f32], labels: &[u8]) -> Option<f64> {
    let positives = labels.iter().filter(|&&label| label == 1).count() as u64;
    normalise(logloss(logits, labels)?, positives, labels.len() as u64)
}

pub(crate) fn from_totals(totals: &Totals) -> Option<f64> {
    normalise(logloss::from_totals(totals)?, totals.positives, totals.samples)
}

fn normalise(logloss: f64, positives: u64, samples: u64) -> Option<f64> {
    let rate = positives as f64 / samples as f64;
    let entropy = -rate * rate.ln() - (1.0 - rate) * (-rate).ln_1p();
    (positives > 0 && positives < samples).then(|| logloss / entropy)
}

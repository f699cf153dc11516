//! Calibration ratio: predicted clicks over clicks. Above 1 the model promises more clicks than come.

use crate::logloss::sigmoid;
use crate::totals::Totals;

/// Mean prediction divided by the label rate. `None` without a positive sample.
pub fn calibration_ratio(logits: &[f32], labels: &[u8]) -> Option<f64> {
    let predicted: f64 = logits.iter().map(|&logit| sigmoid(logit)).sum();
    let positives = labels.iter().filter(|&&label| label == 1).count();
    (positives > 0).then(|| predicted / positives as f64)
}

pub(crate) fn from_totals(totals: &Totals) -> Option<f64> {
    (totals.positives > 0).then(|| totals.predicted_clicks / totals.positives as f64)
}

//! Expected calibration error over 15 equal-width bins of the predicted click probability (Guo et al. 2017, 1706.04599).
//!
//! `sum over bins of (samples in bin / samples) * |click rate in bin - mean prediction in bin|`, which is
//! `sum over bins of |sum of (label - prediction)| / samples`: one sum per bin is all that is needed.

use crate::logloss::sigmoid;
use crate::totals::Totals;

/// Number of equal-width bins over [0, 1]; the last one includes 1.
pub const ECE_BINS: usize = 15;

/// Expected calibration error of the positive class over [`ECE_BINS`] bins. `None` without samples.
pub fn ece(logits: &[f32], labels: &[u8]) -> Option<f64> {
    let mut residual = [0.0; ECE_BINS];
    for (&logit, &label) in logits.iter().zip(labels) {
        let probability = sigmoid(logit);
        residual[bin(probability)] += f64::from(label) - probability;
    }
    from_residuals(&residual, labels.len() as u64)
}

/// The bin of a probability.
pub(crate) fn bin(probability: f64) -> usize {
    ((probability * ECE_BINS as f64) as usize).min(ECE_BINS - 1)
}

pub(crate) fn from_totals(totals: &Totals) -> Option<f64> {
    from_residuals(&totals.residual, totals.samples)
}

fn from_residuals(residual: &[f64; ECE_BINS], samples: u64) -> Option<f64> {
    let sum: f64 = residual.iter().map(|sum| sum.abs()).sum();
    (samples > 0).then(|| sum / samples as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_are_equally_wide_and_the_last_is_closed() {
        assert_eq!([0.0, 0.0666, 0.0667, 0.5, 0.9333, 0.9334, 1.0].map(bin), [0, 0, 1, 7, 13, 14, 14]);
    }
}

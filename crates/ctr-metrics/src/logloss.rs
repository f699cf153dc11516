//! Log loss: mean negative log likelihood of the labels, in nats, from logits and in `f64`, so that it stays finite and
//! exact where a probability would round to 0 or 1.

use crate::totals::Totals;

/// Mean of [`sample_logloss`] over all samples. `None` without samples.
pub fn logloss(logits: &[f32], labels: &[u8]) -> Option<f64> {
    let sum: f64 = logits.iter().zip(labels).map(|(&logit, &label)| sample_logloss(logit, label)).sum();
    (!labels.is_empty()).then(|| sum / labels.len() as f64)
}

/// Negative log likelihood of one label under `sigmoid(logit)`, in nats: `max(z, 0) - z y + ln(1 + exp(-|z|))`.
pub fn sample_logloss(logit: f32, label: u8) -> f64 {
    let z = f64::from(logit);
    z.max(0.0) - z * f64::from(label) + (-z.abs()).exp().ln_1p()
}

/// Probability of a click at `logit`. Never overflows.
pub fn sigmoid(logit: f32) -> f64 {
    let z = f64::from(logit);
    let e = (-z.abs()).exp();
    if z >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) }
}

pub(crate) fn from_totals(totals: &Totals) -> Option<f64> {
    (totals.samples > 0).then(|| totals.loss / totals.samples as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ```python
    /// from mpmath import mp, mpf, exp, log  # 40 digits
    /// log(1 + exp(mpf(-30))), log(1 + exp(mpf(100))), 1 / (1 + exp(mpf(20)))
    /// ```
    #[test]
    fn saturated_logits_keep_their_precision() {
        let close = |actual: f64, expected: f64| assert!((actual / expected - 1.0).abs() < 1e-14, "{actual}");
        close(sample_logloss(30.0, 1), 9.357622968839737e-14);
        close(sample_logloss(100.0, 0), 100.0);
        close(sigmoid(-20.0), 2.0611536181902035e-9);
        assert_eq!(sample_logloss(-1e30, 0), 0.0);
        assert_eq!(sigmoid(-1e30), 0.0);
        assert_eq!(sigmoid(1e30), 1.0);
    }
}

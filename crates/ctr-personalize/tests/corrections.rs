//! What every correction promises, on any local set.

use ctr_personalize::{CORRECTIONS, Corrected, CorrectionSettings, LocalSet};
use proptest::prelude::*;

fn apply(name: &str, local: &LocalSet) -> Corrected {
    let correction = CORRECTIONS.iter().find(|correction| correction.name == name).expect("a known correction");
    (correction.apply)(local, &CorrectionSettings::default())
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Labels, cloud logits of the same length, and a global CTR.
fn local_sets() -> impl Strategy<Value = (Vec<u8>, Vec<f32>, f64)> {
    let samples = prop::collection::vec((0u8..=1, -6f32..6.0), 1..200);
    (samples, 0.01f64..0.99).prop_map(|(samples, pi)| {
        let (labels, logits) = samples.into_iter().unzip();
        (labels, logits, pi)
    })
}

proptest! {
    #[test]
    fn targets_stay_in_the_unit_interval_except_for_shift((labels, logits, pi) in local_sets()) {
        let local = LocalSet { labels: &labels, cloud_logits: &logits, global_ctr: pi };
        for correction in CORRECTIONS.iter().filter(|correction| correction.name != "shift") {
            let corrected = apply(correction.name, &local);
            prop_assert_eq!(corrected.targets.len(), labels.len());
            prop_assert!(corrected.targets.iter().all(|y| (0.0..=1.0).contains(y)), "{:?}", corrected);
        }
    }

    #[test]
    fn the_mean_target_is_the_prior((labels, logits, pi) in local_sets()) {
        let local = LocalSet { labels: &labels, cloud_logits: &logits, global_ctr: pi };
        let cloud_mean = mean(&logits.iter().map(|z| 1.0 / (1.0 + (-f64::from(*z)).exp())).collect::<Vec<_>>());
        let local_ctr = mean(&labels.iter().map(|y| f64::from(*y)).collect::<Vec<_>>());
        for (name, expected) in [
            ("none", local_ctr),
            ("prior-alignment", pi),
            ("shift", pi),
            ("cloud-anchored", cloud_mean),
            ("smoothing", 0.9 * local_ctr + 0.1 * pi),
        ] {
            let targets = apply(name, &local).targets;
            prop_assert!((mean(&targets) - expected).abs() < 1e-9, "{name}: {} is not {expected}", mean(&targets));
        }
    }

    /// The weighted label rate is the global CTR and the weights average to 1, where both classes are present.
    #[test]
    fn weights_restore_the_global_ctr((labels, logits, pi) in local_sets()) {
        let local = LocalSet { labels: &labels, cloud_logits: &logits, global_ctr: pi };
        prop_assume!(!local.has_one_class());
        let weights = apply("importance-weight", &local).weights.expect("weights");
        let positive = mean(&weights.iter().zip(&labels).map(|(w, y)| w * f64::from(*y)).collect::<Vec<_>>());
        prop_assert!((positive - pi).abs() < 1e-9);
        prop_assert!((mean(&weights) - 1.0).abs() < 1e-9);
    }

    /// Where the local CTR is the global one, there is nothing to correct.
    #[test]
    fn no_drift_no_change(labels in prop::collection::vec(0u8..=1, 2..200)) {
        let pi = labels.iter().map(|y| f64::from(*y)).sum::<f64>() / labels.len() as f64;
        prop_assume!(pi > 0.0 && pi < 1.0);
        let logits = vec![(pi / (1.0 - pi)).ln() as f32; labels.len()];
        let local = LocalSet { labels: &labels, cloud_logits: &logits, global_ctr: pi };
        // Smoothing moves every label toward the prior, drift or not: it is the control, and no identity.
        for correction in CORRECTIONS.iter().filter(|correction| correction.name != "smoothing") {
            let corrected = apply(correction.name, &local);
            // cloud-anchored sees the rate through f32 logits.
            let tolerance = if correction.name == "cloud-anchored" { 1e-6 } else { 1e-9 };
            for (target, label) in corrected.targets.iter().zip(&labels) {
                prop_assert!((target - f64::from(*label)).abs() < tolerance, "{}: {target}", correction.name);
            }
            prop_assert!(corrected.training_offset.abs() < 1e-9);
            prop_assert!(corrected.weights.unwrap_or_default().iter().all(|w| (w - 1.0).abs() < 1e-9));
        }
    }
}

/// By hand: 3 positives of 4 at a global CTR of 0.5; `1 -> 0.5 / 0.75 = 2/3`, offset `ln 3 - ln 1`, weights `2/3` and `2`.
#[test]
fn a_case_by_hand() {
    let local = LocalSet { labels: &[1, 1, 1, 0], cloud_logits: &[0.0; 4], global_ctr: 0.5 };
    let two_thirds = 2.0 / 3.0;
    assert_eq!(apply("prior-alignment", &local).targets, [two_thirds, two_thirds, two_thirds, 0.0]);
    assert!((apply("logit-adjustment", &local).training_offset - 3f64.ln()).abs() < 1e-12);
    assert_eq!(apply("importance-weight", &local).weights, Some(vec![two_thirds, two_thirds, two_thirds, 2.0]));
    assert_eq!(apply("shift", &local).targets, [0.75, 0.75, 0.75, -0.25]);
    // 1 positive of 4: `0 -> (0.5 - 0.25) / 0.75 = 1/3`.
    let local = LocalSet { labels: &[1, 0, 0, 0], cloud_logits: &[0.0; 4], global_ctr: 0.5 };
    assert_eq!(apply("prior-alignment", &local).targets, [1.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0]);
}

/// `(0 + 1 * 0.5) / (3 + 1) = 0.125` stands in for a local CTR of 0.
#[test]
fn one_class_users_get_the_shrunk_ctr() {
    let local = LocalSet { labels: &[0, 0, 0], cloud_logits: &[0.0; 3], global_ctr: 0.5 };
    let corrected = apply("logit-adjustment", &local);
    assert!(corrected.used_shrunk_ctr);
    assert!((corrected.training_offset - (0.125f64 / 0.875).ln()).abs() < 1e-12);
    for name in ["none", "prior-alignment", "importance-weight"] {
        assert!(!apply(name, &local).used_shrunk_ctr);
    }
}

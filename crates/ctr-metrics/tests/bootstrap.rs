//! Intervals and paired changes.

use ctr_metrics::*;
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const BOOTSTRAP: Bootstrap = Bootstrap { resamples: 200, confidence: 0.95, seed: 42 };

/// Owned columns of an evaluation.
struct Evaluated {
    logits: Vec<f32>,
    labels: Vec<u8>,
    user_offsets: Vec<usize>,
}

impl Evaluated {
    fn scored(&self) -> Scored<'_> {
        Scored::new(&self.logits, &self.labels, &self.user_offsets).expect("sound")
    }
}

/// Users with a rate of their own, and scores that know the labels a little.
fn draw(users: usize, samples_per_user: usize, seed: u64) -> Evaluated {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut evaluated = Evaluated { logits: Vec::new(), labels: Vec::new(), user_offsets: vec![0] };
    for _ in 0..users {
        let rate = rng.random_range(0.1..0.9);
        for _ in 0..samples_per_user {
            let label = rng.random_bool(rate);
            evaluated.labels.push(u8::from(label));
            evaluated.logits.push(rng.random_range(-2.0..2.0) + if label { 0.5 } else { 0.0 });
        }
        evaluated.user_offsets.push(evaluated.labels.len());
    }
    evaluated
}

/// The same users and labels, other logits.
fn with_logits(evaluated: &Evaluated, map: impl Fn(f32) -> f32) -> Evaluated {
    Evaluated {
        logits: evaluated.logits.iter().map(|&logit| map(logit)).collect(),
        labels: evaluated.labels.clone(),
        user_offsets: evaluated.user_offsets.clone(),
    }
}

fn in_pool<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads").install(work)
}

#[test]
fn one_and_two_threads_give_the_same_bytes() {
    let candidate = draw(300, 20, 1);
    let baseline = with_logits(&candidate, |logit| (logit * 3.0).sin());
    let run = |threads| {
        in_pool(threads, || {
            evaluate_with_intervals(&candidate.scored(), Some(&baseline.scored()), &BOOTSTRAP).expect("sound")
        })
    };
    let (one, two) = (run(1), run(2));
    assert_eq!(one.metrics.len(), Metric::ALL.len());
    assert_eq!(one.change.len(), Metric::ALL.len());
    assert_eq!(serde_json::to_vec(&one).expect("JSON"), serde_json::to_vec(&two).expect("JSON"));
}

#[test]
fn a_baseline_with_the_same_ranking_changes_only_what_is_not_ranking() {
    let candidate = draw(100, 20, 2);
    let baseline = with_logits(&candidate, |logit| logit + 1.0);
    let change =
        evaluate_with_intervals(&candidate.scored(), Some(&baseline.scored()), &BOOTSTRAP).expect("sound").change;
    for (metric, change) in change {
        let ends = [change.value, change.low, change.high];
        match metric {
            Metric::Gauc | Metric::AucUserMean | Metric::Auc | Metric::NdcgAt10 => {
                assert_eq!(ends, [0.0; 3], "{metric}")
            }
            _ => assert!(change.low < change.value && change.value < change.high, "{metric} {change:?}"),
        }
    }
}

/// With as many users as this, the percentile interval of a mean over users is the normal one:
/// value ± 1.96 s / sqrt(users).
#[test]
fn the_interval_of_a_mean_over_users_has_the_textbook_width() {
    let evaluated = draw(2_000, 20, 3);
    let scored = evaluated.scored();
    let aucs: Vec<f64> = scored.by_user().filter_map(|(logits, labels)| user_auc(logits, labels)).collect();
    let bootstrap = Bootstrap { resamples: 4_000, ..BOOTSTRAP };
    let estimate = evaluate_with_intervals(&scored, None, &bootstrap).expect("sound").metrics[&Metric::AucUserMean];
    let half = 1.96 * sample_standard_deviation(&aucs).expect("users") / (aucs.len() as f64).sqrt();
    // The end of a percentile interval from 4,000 draws has a standard error of 3 % of the half width.
    assert!((estimate.low - (estimate.value - half)).abs() < 0.1 * half, "{estimate:?} {half}");
    assert!((estimate.high - (estimate.value + half)).abs() < 0.1 * half, "{estimate:?} {half}");
}

#[test]
fn pairing_narrows_the_interval_of_a_change() {
    let candidate = draw(500, 20, 4);
    let baseline = with_logits(&candidate, |logit| logit * 1.05);
    let evaluation = evaluate_with_intervals(&candidate.scored(), Some(&baseline.scored()), &BOOTSTRAP).expect("sound");
    let width = |estimate: &Estimate| estimate.high - estimate.low;
    let (own, change) = (&evaluation.metrics[&Metric::LogLoss], &evaluation.change[&Metric::LogLoss]);
    assert!(width(change) < 0.2 * width(own), "{own:?} {change:?}");
}

#[test]
fn a_baseline_of_other_samples_is_refused() {
    let candidate = draw(10, 5, 5);
    let mut other_labels = draw(10, 5, 5);
    other_labels.labels[7] ^= 1;
    let mut other_users = draw(10, 5, 5);
    other_users.user_offsets[1] += 1;
    for (baseline, what) in [(other_labels, "labels"), (other_users, "user offsets")] {
        let error = evaluate_with_intervals(&candidate.scored(), Some(&baseline.scored()), &BOOTSTRAP).unwrap_err();
        assert_eq!(error, MetricError::BaselineDiffers { what });
    }
}

/// One user with both classes among many without: a resample that misses it has no `gauc`, and about a third do.
#[test]
fn resamples_that_do_not_define_a_metric_are_left_out_of_its_interval() {
    let evaluated = Evaluated {
        logits: vec![0.5, -0.5, -1.0, -1.0, -1.0],
        labels: vec![1, 0, 0, 0, 0],
        user_offsets: vec![0, 2, 3, 4, 5],
    };
    let metrics = evaluate_with_intervals(&evaluated.scored(), None, &BOOTSTRAP).expect("sound").metrics;
    let certain = Estimate { value: 1.0, low: 1.0, high: 1.0 };
    assert_eq!(metrics[&Metric::Gauc], certain);
}

proptest! {
    #[test]
    fn values_from_user_sums_equal_the_plain_functions(
        users in prop::collection::vec(prop::collection::vec((-4i8..4, 0u8..2), 0..15), 1..20),
    ) {
        let mut evaluated = Evaluated { logits: Vec::new(), labels: Vec::new(), user_offsets: vec![0] };
        for samples in &users {
            evaluated.logits.extend(samples.iter().map(|sample| f32::from(sample.0) * 0.7));
            evaluated.labels.extend(samples.iter().map(|sample| sample.1));
            evaluated.user_offsets.push(evaluated.labels.len());
        }
        prop_assume!(!evaluated.labels.is_empty());
        let scored = evaluated.scored();
        let (logits, labels) = (scored.logits, scored.labels);
        let values = evaluate(&scored).expect("sound");
        for (metric, plain) in [
            (Metric::Gauc, gauc(&scored)),
            (Metric::AucUserMean, auc_user_mean(&scored)),
            (Metric::Auc, auc(logits, labels)),
            (Metric::LogLoss, logloss(logits, labels)),
            (Metric::Ne, ne(logits, labels)),
            (Metric::Ece, ece(logits, labels)),
            (Metric::CalibrationRatio, calibration_ratio(logits, labels)),
            (Metric::NdcgAt10, ndcg_at_10(&scored)),
        ] {
            let value = values.get(&metric).copied();
            prop_assert_eq!(value.is_some(), plain.is_some(), "{}", metric);
            if let (Some(value), Some(plain)) = (value, plain) {
                prop_assert!((value - plain).abs() < 1e-13, "{} {} {}", metric, value, plain);
            }
        }
    }
}

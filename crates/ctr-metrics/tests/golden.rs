//! Every metric against scikit-learn 1.9 on 28 samples of 5 users with ties within and across users.
//!
//! ```python
//! import numpy as np
//! from sklearn.metrics import roc_auc_score, log_loss, ndcg_score
//! logits, labels, offsets = np.float32([...]), np.array([...]), [...]  # as below
//! z = logits.astype(np.float64); p = 1 / (1 + np.exp(-z)); y = labels
//! U = [slice(a, b) for a, b in zip(offsets, offsets[1:])]
//! U = [u for u in U if 0 < y[u].mean() < 1]
//! auc_u = np.array([roc_auc_score(y[u], z[u]) for u in U]); n_u = [u.stop - u.start for u in U]
//! roc_auc_score(y, z), np.average(auc_u, weights=n_u), auc_u.mean()
//! ll = log_loss(y, p); r = y.mean(); ll, ll / -(r * np.log(r) + (1 - r) * np.log(1 - r))
//! b = np.minimum((p * 15).astype(int), 14)
//! sum((b == k).mean() * abs(y[b == k].mean() - p[b == k].mean()) for k in range(15) if (b == k).any())
//! p.mean() / y.mean()
//! np.mean([ndcg_score([y[u]], [z[u]], k=10) for u in U])
//! ```

use std::collections::BTreeMap;

use ctr_metrics::*;

const LOGITS: [f32; 28] = [
    0.5, -1.0, 0.5, 2.25, -0.75, 0.0, 1.5, 1.5, -2.0, 0.25, 0.25, -0.5, -0.5, -1.75, 3.0, 0.75, 1.0, -3.5, 0.0, -0.25,
    0.0, 0.0, 1.25, -1.5, 2.0, -0.25, 0.5, 0.0,
];
const LABELS: [u8; 28] = [1, 0, 0, 1, 0, 1, 0, 1, 0, 0, 1, 0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1, 0, 0, 1, 0, 0];
const USER_OFFSETS: [usize; 6] = [0, 6, 11, 14, 17, 28];

const EXPECTED: [(Metric, f64); 8] = [
    (Metric::Auc, 0.8048128342245988),
    (Metric::Gauc, 0.6704545454545454),
    (Metric::AucUserMean, 0.6944444444444443),
    (Metric::LogLoss, 0.5710334752522375),
    (Metric::Ne, 0.8522773461921621),
    (Metric::Ece, 0.2043000439719538),
    (Metric::CalibrationRatio, 1.3410834326615053),
    (Metric::NdcgAt10, 0.7798708010432512),
];

fn scored() -> Scored<'static> {
    Scored::new(&LOGITS, &LABELS, &USER_OFFSETS).expect("sound")
}

#[track_caller]
fn assert_expected(metric: Metric, value: Option<f64>) {
    let (_, expected) = EXPECTED.into_iter().find(|row| row.0 == metric).expect("every metric");
    let value = value.unwrap_or_else(|| panic!("{metric} is undefined"));
    assert!((value - expected).abs() < 1e-14, "{metric} is {value}, scikit-learn has {expected}");
}

#[test]
fn evaluate_equals_scikit_learn() {
    let values = evaluate(&scored()).expect("sound");
    for metric in Metric::ALL {
        assert_expected(metric, values.get(&metric).copied());
    }
}

#[test]
fn the_plain_functions_equal_scikit_learn() {
    assert_expected(Metric::Auc, auc(&LOGITS, &LABELS));
    assert_expected(Metric::Gauc, gauc(&scored()));
    assert_expected(Metric::AucUserMean, auc_user_mean(&scored()));
    assert_expected(Metric::LogLoss, logloss(&LOGITS, &LABELS));
    assert_expected(Metric::Ne, ne(&LOGITS, &LABELS));
    assert_expected(Metric::Ece, ece(&LOGITS, &LABELS));
    assert_expected(Metric::CalibrationRatio, calibration_ratio(&LOGITS, &LABELS));
    assert_expected(Metric::NdcgAt10, ndcg_at_10(&scored()));
}

#[test]
fn users_are_counted_by_their_classes() {
    let counts = UserCounts::of(&scored());
    let expected = UserCounts { both_classes: 3, all_positive: 1, all_negative: 1, no_samples: 0 };
    assert_eq!(counts, expected);
}

#[test]
fn metrics_that_one_class_does_not_define_are_left_out() {
    let values = evaluate(&Scored::new(&[0.5, -0.5], &[0, 0], &[0, 1, 2]).expect("sound")).expect("sound");
    let defined: Vec<Metric> = values.into_keys().collect();
    assert_eq!(defined, [Metric::LogLoss, Metric::Ece]);
}

#[test]
fn nan_logits_are_refused() {
    let scored = Scored { logits: &[0.5, f32::NAN], labels: &[0, 1], user_offsets: &[0, 2] };
    let message = evaluate(&scored).unwrap_err().to_string();
    assert!(message.contains("NaN at sample 1"), "{message}");
}

#[test]
fn the_evaluation_survives_json_under_the_names_of_its_metrics() {
    let estimate = Estimate { value: 0.5, low: 0.25, high: 0.75 };
    let evaluation = Evaluation {
        users: UserCounts::of(&scored()),
        metrics: BTreeMap::from([(Metric::NdcgAt10, estimate), (Metric::LogLoss, estimate)]),
        change: BTreeMap::new(),
    };
    let json = serde_json::to_value(&evaluation).expect("serialisable");
    assert_eq!(json["metrics"]["ndcg@10"]["low"], 0.25);
    assert_eq!(json["metrics"]["logloss"]["high"], 0.75);
    let back: Evaluation = serde_json::from_value(json).expect("the same shape");
    assert_eq!(back, evaluation);
}

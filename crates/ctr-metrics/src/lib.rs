//! Metrics of click-through-rate models, with intervals by bootstrap over users.
//!
//! Scores are logits, not probabilities: a saturated sigmoid would make ties that the model did not make. Every metric
//! has a plain function in the file that bears its name; [`evaluate`] computes them all, [`evaluate_with_intervals`]
//! adds percentile intervals and the paired change from a baseline, and [`Resampled`] does the same in two steps for a
//! caller that compares many candidates with one baseline.
//!
//! A metric that its data do not define (no positive sample, no user with both classes) is left out of the map; it is
//! never NaN.

mod auc;
mod auc_user_mean;
mod bootstrap;
mod calibration_ratio;
mod ece;
mod error;
mod estimate;
mod evaluate;
mod gauc;
mod logloss;
mod metric;
mod ndcg;
mod ne;
mod ranking;
mod resampled;
mod scored;
mod seeds;
mod totals;
mod user_counts;
mod user_statistics;
mod verdict;

pub use auc::{auc, user_auc};
pub use auc_user_mean::auc_user_mean;
pub use bootstrap::Bootstrap;
pub use calibration_ratio::calibration_ratio;
pub use ece::{ECE_BINS, ece};
pub use error::MetricError;
pub use estimate::Estimate;
pub use evaluate::{Evaluation, evaluate, evaluate_with_intervals};
pub use gauc::gauc;
pub use logloss::{logloss, sample_logloss, sigmoid};
pub use metric::{Direction, Metric};
pub use ndcg::{NDCG_CUTOFF, ndcg_at_10, user_ndcg};
pub use ne::ne;
pub use resampled::Resampled;
pub use scored::Scored;
pub use seeds::{mean, paired_differences, sample_standard_deviation};
pub use user_counts::UserCounts;
pub use verdict::{Verdict, verdict};

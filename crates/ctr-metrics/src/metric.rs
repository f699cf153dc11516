//! The metrics by name: definition, which way is better, and what each leaves out.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A metric of one evaluation. The order is that of tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Ranking within users, weighted by impressions.
    Gauc,
    /// Ranking within users, every user alike.
    AucUserMean,
    /// Ranking across users.
    Auc,
    /// Log loss.
    #[serde(rename = "logloss")]
    LogLoss,
    /// Normalised entropy.
    Ne,
    /// Expected calibration error.
    Ece,
    /// Predicted clicks over clicks.
    CalibrationRatio,
    /// Normalised discounted cumulative gain at 10.
    #[serde(rename = "ndcg@10")]
    NdcgAt10,
}

/// Which values of a metric are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Higher is better.
    Higher,
    /// Lower is better.
    Lower,
    /// The closer to one the better.
    ClosestToOne,
}

impl Direction {
    /// How much better `candidate` is than `baseline`; negative where it is worse.
    pub fn gain(self, baseline: f64, candidate: f64) -> f64 {
        match self {
            Direction::Higher => candidate - baseline,
            Direction::Lower => baseline - candidate,
            Direction::ClosestToOne => (baseline - 1.0).abs() - (candidate - 1.0).abs(),
        }
    }
}

impl Metric {
    /// Every metric, in the order of tables.
    pub const ALL: [Metric; 8] = [
        Metric::Gauc,
        Metric::AucUserMean,
        Metric::Auc,
        Metric::LogLoss,
        Metric::Ne,
        Metric::Ece,
        Metric::CalibrationRatio,
        Metric::NdcgAt10,
    ];

    /// The name in tables, files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Metric::Gauc => "gauc",
            Metric::AucUserMean => "auc_user_mean",
            Metric::Auc => "auc",
            Metric::LogLoss => "logloss",
            Metric::Ne => "ne",
            Metric::Ece => "ece",
            Metric::CalibrationRatio => "calibration_ratio",
            Metric::NdcgAt10 => "ndcg@10",
        }
    }

    /// The metric of that [`Metric::name`].
    pub fn from_name(name: &str) -> Option<Metric> {
        Metric::ALL.into_iter().find(|metric| metric.name() == name)
    }

    /// Which values are better.
    pub fn direction(self) -> Direction {
        match self {
            Metric::Gauc | Metric::AucUserMean | Metric::Auc | Metric::NdcgAt10 => Direction::Higher,
            Metric::LogLoss | Metric::Ne | Metric::Ece => Direction::Lower,
            Metric::CalibrationRatio => Direction::ClosestToOne,
        }
    }

    /// What it measures, in one sentence.
    pub fn definition(self) -> &'static str {
        match self {
            Metric::Gauc => "mean over users of the user's own AUC, weighted by the user's judged samples",
            Metric::AucUserMean => "plain mean over users of the user's own AUC",
            Metric::Auc => {
                "chance that a random positive sample scores above a random negative one, all users pooled; a tie counts one half"
            }
            Metric::LogLoss => "mean negative log likelihood of the labels, in nats, computed from logits",
            Metric::Ne => "log loss divided by the entropy of the label rate of the same samples",
            Metric::Ece => {
                "sum over 15 equal-width bins of the predicted probability of (share of samples) x |click rate - mean prediction|"
            }
            Metric::CalibrationRatio => "mean predicted probability divided by the label rate",
            Metric::NdcgAt10 => {
                "mean over users of NDCG over the first 10 ranks, binary gain, discount 1/log2(rank + 1); ties count their expected value"
            }
        }
    }

    /// Which users or samples it leaves out.
    pub fn exclusions(self) -> &'static str {
        match self {
            Metric::Gauc | Metric::AucUserMean | Metric::NdcgAt10 => {
                "users without both classes among their judged samples"
            }
            Metric::Auc | Metric::LogLoss | Metric::Ne | Metric::Ece | Metric::CalibrationRatio => "none",
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_serialised_form_and_lead_back() {
        for metric in Metric::ALL {
            let json = serde_json::to_string(&metric).expect("a unit variant");
            assert_eq!(json, format!("{:?}", metric.name()));
            assert_eq!(Metric::from_name(metric.name()), Some(metric));
        }
        assert_eq!(Metric::from_name("accuracy"), None);
    }

    #[test]
    fn a_gain_is_positive_where_the_candidate_is_better() {
        assert_eq!(Direction::Higher.gain(0.5, 0.75), 0.25);
        assert_eq!(Direction::Lower.gain(0.5, 0.75), -0.25);
        assert_eq!(Direction::ClosestToOne.gain(1.5, 0.75), 0.25);
        assert_eq!(Direction::ClosestToOne.gain(0.75, 1.5), -0.25);
    }
}

//! What is known of a loaded dataset; the content of `ctrbench data inspect`.

use serde::{Deserialize, Serialize};

/// Counts, label rates, local-CTR quantiles, and the split guard's verdict.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Facts {
    /// Dataset name.
    pub dataset: String,
    /// Full title.
    pub title: String,
    /// Where the dataset comes from.
    pub home_page: String,
    /// Licence as the dataset itself states it.
    pub licence: String,
    /// What to cite.
    pub citation: String,
    /// Condition under which a row is positive.
    pub label_rule: String,
    /// Split rule with its fractions.
    pub split_rule: String,
    /// Unit of the time column.
    pub time_unit: String,
    /// Rows in the log file.
    pub raw_rows: u64,
    /// Rows dropped because an earlier one has the same user, item and time.
    pub repeated_rows: u64,
    /// What was drawn at random beside the split: users kept, negatives added.
    pub sampling: Vec<String>,
    /// Lines left out because they cannot be read, in all files; see [`crate::BadRowRule`].
    pub skipped_rows: u64,
    /// Samples: rows kept.
    pub rows: u64,
    /// Users with samples; 0 where the source names none.
    pub users: u64,
    /// Items with samples.
    pub items: u64,
    /// Items in the attribute file, whether or not they have samples.
    pub items_listed: Option<u64>,
    /// Positives / rows, before repeats are dropped.
    pub raw_positive_rate: f64,
    /// Positives / samples.
    pub positive_rate: f64,
    /// Users with at least 20 rows, before repeats are dropped.
    pub users_with_20_raw_rows: u64,
    /// Users with at least 20 samples.
    pub users_with_20_rows: u64,
    /// First time, in `time_unit`.
    pub first_time: i64,
    /// Last time, in `time_unit`.
    pub last_time: i64,
    /// Mean length of the samples' histories, in items.
    pub mean_history_length: f64,
    /// Samples whose history is empty.
    pub samples_without_history: u64,
    /// AUC of the planted probabilities on the test part, the ceiling of every score; synthetic only.
    pub bayes_auc: Option<f64>,
    /// BLAKE3 of the canonical log: users, items, times, labels and attributes.
    pub dataset_hash: String,
    /// BLAKE3 of the dataset hash and each sample's part.
    pub split_hash: String,
    /// What is odd about the source files.
    pub warnings: Vec<String>,
    /// The training part.
    pub train: PartFacts,
    /// The validation part.
    pub validation: PartFacts,
    /// The test part.
    pub test: PartFacts,
    /// Spread of the users' local CTR.
    pub local_ctr: LocalCtr,
    /// Input fields in column order.
    pub fields: Vec<FieldFacts>,
    /// The split guard's checks; all passed, since a failing one is an error.
    pub guard: Vec<Check>,
}

/// One part of the split.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PartFacts {
    /// Samples.
    pub rows: u64,
    /// Users with a sample in this part.
    pub users: u64,
    /// Positives / samples; in training the global CTR.
    pub positive_rate: f64,
    /// Share of samples whose item is not in the vocabulary.
    pub unknown_item_rate: f64,
}

/// Local CTR over the users with at least `min_samples` training samples.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LocalCtr {
    /// Fewest training samples of a user that is counted here.
    pub min_samples: u64,
    /// Users counted.
    pub users: u64,
    /// Users of them whose training labels are all equal.
    pub one_class_users: u64,
    /// Mean over users.
    pub mean: f64,
    /// Sample standard deviation (n - 1) over users.
    pub sd: f64,
    /// Smallest.
    pub min: f64,
    /// 5 % quantile; quantiles interpolate linearly between order statistics.
    pub p05: f64,
    /// 25 % quantile.
    pub p25: f64,
    /// 50 % quantile.
    pub median: f64,
    /// 75 % quantile.
    pub p75: f64,
    /// 95 % quantile.
    pub p95: f64,
    /// Largest.
    pub max: f64,
}

/// One input field.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FieldFacts {
    /// Name.
    pub name: String,
    /// Number of ids, the unknown one included.
    pub vocabulary_size: u64,
    /// Values of the sample that has most; more than 1 only in fields with lists.
    #[serde(default = "one")]
    pub most_values: u64,
}

fn one() -> u64 {
    1
}

/// One check of the split guard.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Check {
    /// What is checked.
    pub name: String,
    /// Verdict.
    pub passed: bool,
    /// What was seen.
    pub detail: String,
}

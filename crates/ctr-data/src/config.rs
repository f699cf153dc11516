//! What to load and how to cut it.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{BadRowRule, DataError, NegativeSampling, SyntheticConfig};

/// Which dataset to load, how to split it, and how to encode it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetConfig {
    /// A name of [`crate::known_names`], or the path of a descriptor of the user's own.
    pub name: String,
    /// Which part of a source that is published in categories (`amazon-*`). Absent: `Electronics`.
    #[serde(default)]
    pub category: Option<String>,
    /// Folder that holds one subfolder per dataset name. Absent: the environment variable `CTRBENCH_DATA`.
    #[serde(default)]
    pub data_dir: Option<PathBuf>,
    /// Folder of the encoded cache.
    #[serde(default = "default_cache_dir")]
    pub cache_dir: PathBuf,
    /// How samples are cut into training, validation and test. Absent: the descriptor's rule, see
    /// [`crate::default_config`].
    #[serde(default)]
    pub split: Option<SplitRule>,
    /// Share of samples (of each user, or of all) that becomes test.
    #[serde(default = "default_test_fraction")]
    pub test_fraction: f64,
    /// Share of samples that becomes validation.
    #[serde(default = "default_validation_fraction")]
    pub validation_fraction: f64,
    /// Seed of `user-random` and of `max_users`; nothing else is drawn by it.
    #[serde(default)]
    pub split_seed: u64,
    /// A value seen fewer times than this in training becomes the field's unknown value.
    #[serde(default = "default_min_count")]
    pub min_count: u32,
    /// Longest history, in items.
    #[serde(default = "default_history_length")]
    pub history_length: usize,
    /// A rating of at least this is a positive. Absent: the descriptor's threshold.
    #[serde(default)]
    pub positive_rating: Option<f64>,
    /// Whether the user id is itself an input field.
    #[serde(default)]
    pub user_id_feature: bool,
    /// What happens to lines that cannot be read.
    #[serde(default)]
    pub bad_rows: BadRowRule,
    /// Keep only so many users, drawn by `split_seed`, with all their rows. Absent: all.
    #[serde(default)]
    pub max_users: Option<usize>,
    /// How negatives are drawn; only for a source that has none. Absent: as the descriptor says, which for most is not at all.
    #[serde(default)]
    pub negatives: Option<NegativeSampling>,
    /// The planted model; read only for `synthetic`.
    #[serde(default)]
    pub synthetic: SyntheticConfig,
}

/// How samples are cut into training, validation and test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SplitRule {
    /// Each user's last samples are test, those before them validation.
    #[default]
    UserTemporal,
    /// One time cut for all users.
    GlobalTemporal,
    /// Each user's samples are shuffled by `split_seed`, then cut.
    UserRandom,
    /// Each user's last positive sample, and what follows it, is test; the positive before that, and what lies between,
    /// validation.
    UserLast,
    /// The parts that the dataset was published in.
    Published,
}

impl fmt::Display for SplitRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SplitRule::UserTemporal => "user-temporal",
            SplitRule::GlobalTemporal => "global-temporal",
            SplitRule::UserRandom => "user-random",
            SplitRule::UserLast => "user-last",
            SplitRule::Published => "published",
        })
    }
}

fn default_cache_dir() -> PathBuf {
    PathBuf::from("results/cache")
}

fn default_test_fraction() -> f64 {
    0.2
}

fn default_validation_fraction() -> f64 {
    0.1
}

fn default_min_count() -> u32 {
    1
}

fn default_history_length() -> usize {
    20
}

/// Most negatives of a positive.
const MOST_NEGATIVES: u32 = 1000;

/// Longest history that is admitted, items.
const LONGEST_HISTORY: usize = 10_000;

impl DatasetConfig {
    /// The defaults for the dataset called `name`.
    pub fn new(name: &str) -> Self {
        DatasetConfig {
            name: name.to_owned(),
            category: None,
            data_dir: None,
            cache_dir: default_cache_dir(),
            split: None,
            test_fraction: default_test_fraction(),
            validation_fraction: default_validation_fraction(),
            split_seed: 0,
            min_count: default_min_count(),
            history_length: default_history_length(),
            positive_rating: None,
            user_id_feature: false,
            bad_rows: BadRowRule::default(),
            max_users: None,
            negatives: None,
            synthetic: SyntheticConfig::default(),
        }
    }

    /// The split that is meant where one was chosen; the usual one else.
    pub(crate) fn split_rule(&self) -> SplitRule {
        self.split.unwrap_or_default()
    }

    /// Refuses impossible values, before anything is read.
    ///
    /// # Errors
    /// [`DataError::InvalidConfig`] names the key, the value seen and what is possible.
    pub fn validate(&self) -> Result<(), DataError> {
        if self.cache_dir.as_os_str().is_empty() {
            return Err(invalid("cache_dir", "empty", "give a folder, `.` for this one"));
        }
        for (key, value) in [("test_fraction", self.test_fraction), ("validation_fraction", self.validation_fraction)] {
            if !(value > 0.0 && value < 1.0) {
                return Err(invalid(key, value, "choose a share between 0 and 1, both excluded"));
            }
        }
        let held_out = self.test_fraction + self.validation_fraction;
        if held_out >= 1.0 {
            return Err(invalid(
                "test_fraction + validation_fraction",
                held_out,
                "keep the sum below 1, so that training samples remain",
            ));
        }
        if self.min_count == 0 {
            return Err(invalid("min_count", 0, "use 1 to keep every value seen in training"));
        }
        if self.max_users == Some(0) {
            return Err(invalid("max_users", 0, "keep at least one user"));
        }
        if let Some(NegativeSampling { per_positive, .. }) = self.negatives
            && !(1..=MOST_NEGATIVES).contains(&per_positive)
        {
            let remedy = format!("draw 1 to {MOST_NEGATIVES}, or leave negatives out");
            return Err(invalid("negatives.per_positive", per_positive, &remedy));
        }
        if self.history_length > LONGEST_HISTORY {
            let remedy = format!("use at most {LONGEST_HISTORY}: every sample of a batch is padded to it");
            return Err(invalid("history_length", self.history_length, &remedy));
        }
        if let Some(threshold) = self.positive_rating
            && !threshold.is_finite()
        {
            return Err(invalid("positive_rating", threshold, "use a finite rating, for example 4"));
        }
        if self.name == "synthetic" { self.synthetic.validate() } else { Ok(()) }
    }
}

/// An impossible value of the configuration key `dataset.<key>`.
pub(crate) fn invalid(key: &str, value: impl fmt::Display, remedy: &str) -> DataError {
    DataError::InvalidConfig { key: format!("dataset.{key}"), value: value.to_string(), remedy: remedy.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_name_is_required_and_unknown_keys_are_refused() {
        let config: DatasetConfig = toml::from_str("name = \"synthetic\"").unwrap();
        assert_eq!(config, DatasetConfig::new("synthetic"));
        let config: DatasetConfig = toml::from_str("name = \"x\"\nsplit = \"user-random\"").unwrap();
        assert_eq!(config.split, Some(SplitRule::UserRandom));
        let error = toml::from_str::<DatasetConfig>("name = \"x\"\nspilt = \"user-random\"").unwrap_err();
        assert!(error.to_string().contains("spilt"), "{error}");
    }

    #[test]
    fn impossible_fractions_are_refused_by_key() {
        for (test, validation, key) in [
            (0.0, 0.1, "dataset.test_fraction"),
            (f64::NAN, 0.1, "dataset.test_fraction"),
            (0.2, -0.1, "dataset.validation_fraction"),
            (0.6, 0.4, "dataset.test_fraction + validation_fraction"),
        ] {
            let mut config = DatasetConfig::new("synthetic");
            config.test_fraction = test;
            config.validation_fraction = validation;
            let message = config.validate().unwrap_err().to_string();
            assert!(message.starts_with(key), "{message}");
        }
    }
}

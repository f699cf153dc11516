//! What a descriptor says of a dataset's files: which they are, and what their columns mean.

use std::num::NonZeroUsize;

use serde::Deserialize;

use crate::Split;
use crate::source_file::SourceFile;
use crate::transform::Transform;

/// Files and columns.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Source {
    /// First and last time of the official log, where a copy without a clock is known to exist.
    pub clock_range: Option<[i64; 2]>,
    /// First time of the test part, where the published split is a cut in time.
    pub test_from: Option<i64>,
    pub label: LabelRule,
    pub log: LogFile,
    pub users: Option<EntityFile>,
    pub items: Option<EntityFile>,
    pub earlier: Option<EarlierFile>,
    pub behaviors: Option<BehaviorFile>,
    #[serde(default)]
    pub fields: Vec<FieldRule>,
}

/// Which rows are positive: those whose number is at least a threshold, or whose text is one of a list.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LabelRule {
    pub column: String,
    pub positive_at_least: Option<f64>,
    pub positive_is: Option<Vec<String>>,
    /// Whether the threshold may be moved by the config's `positive_rating`.
    #[serde(default)]
    pub is_rating: bool,
}

/// The log: one row per impression or rating.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogFile {
    pub file: SourceFile,
    /// Further files of the same layout, read after the first.
    #[serde(default)]
    pub further: Vec<String>,
    /// Absent where the source names no users: cloud models can be trained, nothing can be fine-tuned.
    pub user: Option<String>,
    pub item: String,
    /// Items that the user had before the row, oldest first: keys separated by blanks, commas, `|` or `^`, or a list of a JSON
    /// file. Absent: histories are made of the log's own earlier positives.
    pub history: Option<String>,
    /// Absent where the source has no time: rows keep the order of the file.
    pub time: Option<String>,
    pub time_unit: String,
    /// Keep only the first of the rows that share user, item and time.
    #[serde(default)]
    pub drop_repeats: bool,
    /// The published split, where there is one; `file` then holds the training part.
    pub held_out: Option<HeldOutFiles>,
}

/// Paths of files that are like the log's own.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeldOutFiles {
    pub validation: String,
    pub test: String,
}

/// Attributes of users or of items, one row each.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EntityFile {
    pub file: SourceFile,
    pub key: String,
}

/// Items that users watched before the log starts, oldest first, separated by blanks.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EarlierFile {
    pub file: SourceFile,
    pub user: String,
    pub last_time: String,
    pub items: String,
}

/// What users did beside the log, one row each, in any order.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BehaviorFile {
    pub file: SourceFile,
    pub user: String,
    pub time: String,
    /// That of the log, since the two are compared.
    pub time_unit: String,
}

/// How one input field is made.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FieldRule {
    pub name: String,
    pub of: Owner,
    pub columns: Vec<String>,
    pub transform: Transform,
    /// Ascending bounds of `bucket`: category `k` holds the numbers from bound `k - 1` up to, but without, bound `k`.
    #[serde(default)]
    pub bounds: Vec<f64>,
    /// Between the entries of a `list`; absent: `|`.
    pub separator: Option<String>,
    /// Most values that a sample has of a list: the first ones. Absent: as many as the longest list holds. Of `recent`, how
    /// many of the user's behaviors before the row count.
    pub max_values: Option<NonZeroUsize>,
}

/// Which file holds a field's columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Owner {
    User,
    Item,
    Row,
    Behavior,
}

impl Source {
    /// Whether the dataset was published in parts, or with a time from which on samples are test.
    pub fn has_published_split(&self) -> bool {
        self.log.held_out.is_some() || self.test_from.is_some()
    }

    /// Every file, in a fixed order.
    pub fn files(&self) -> Vec<SourceFile> {
        let mut files: Vec<SourceFile> = self.log.files().into_iter().map(|(_, file)| file).collect();
        files.extend([&self.users, &self.items].into_iter().flatten().map(|entity| entity.file.clone()));
        files.extend(self.earlier.as_ref().map(|earlier| earlier.file.clone()));
        files.extend(self.behaviors.as_ref().map(|behaviors| behaviors.file.clone()));
        files
    }
}

impl LogFile {
    /// The files of the log with their part of the published split; without one, one file that is not cut yet.
    pub fn files(&self) -> Vec<(Split, SourceFile)> {
        let alike = |path: &String| SourceFile { path: path.clone(), stand_in: None, ..self.file.clone() };
        let mut files = vec![(Split::Train, self.file.clone())];
        files.extend(self.further.iter().map(|path| (Split::Train, alike(path))));
        if let Some(HeldOutFiles { validation, test }) = &self.held_out {
            files.extend([(Split::Validation, alike(validation)), (Split::Test, alike(test))]);
        }
        files
    }
}

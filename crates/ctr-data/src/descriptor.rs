//! The dataset descriptors of `datasets/*.toml`, embedded in the binary.

use serde::Deserialize;

use crate::transform::Transform;
use crate::{DataError, Split};

/// Name and descriptor text of every dataset.
const EMBEDDED: [(&str, &str); 5] = [
    ("synthetic", include_str!("../../../datasets/synthetic.toml")),
    ("movielens-100k", include_str!("../../../datasets/movielens-100k.toml")),
    ("movielens-1m", include_str!("../../../datasets/movielens-1m.toml")),
    ("kuairand-pure", include_str!("../../../datasets/kuairand-pure.toml")),
    ("frappe", include_str!("../../../datasets/frappe.toml")),
];

/// Names of the datasets that [`crate::load`] knows.
pub fn known_names() -> Vec<&'static str> {
    EMBEDDED.iter().map(|(name, _)| *name).collect()
}

/// What is known of a dataset before its files are read.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Descriptor {
    pub name: String,
    pub title: String,
    pub home_page: String,
    pub licence: String,
    pub citation: String,
    pub expected: Option<Expected>,
    /// Absent for a generated dataset.
    pub source: Option<Source>,
    /// The descriptor as written, which is part of the cache key.
    #[serde(skip)]
    pub text: String,
}

/// Counts of the official files; others are reported, not refused.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expected {
    pub users: u64,
    pub items: u64,
    pub rows: u64,
}

/// Files and columns.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Source {
    /// First and last time of the official log, where a copy without a clock is known to exist.
    pub clock_range: Option<[i64; 2]>,
    pub label: LabelRule,
    pub log: LogFile,
    pub users: Option<EntityFile>,
    pub items: Option<EntityFile>,
    pub earlier: Option<EarlierFile>,
    pub fields: Vec<FieldRule>,
}

/// A row is positive where `column >= positive_at_least`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LabelRule {
    pub column: String,
    pub positive_at_least: f64,
    /// Whether the threshold may be moved by the config's `positive_rating`.
    pub is_rating: bool,
}

/// The log: one row per impression or rating.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogFile {
    pub file: DelimitedFile,
    pub user: String,
    pub item: String,
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
    pub file: DelimitedFile,
    pub key: String,
}

/// Items that users watched before the log starts, oldest first, separated by blanks.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EarlierFile {
    pub file: DelimitedFile,
    pub user: String,
    pub last_time: String,
    pub items: String,
}

/// How one input field is made.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FieldRule {
    pub name: String,
    pub of: Owner,
    pub columns: Vec<String>,
    pub transform: Transform,
}

/// Which file holds a field's columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Owner {
    User,
    Item,
    Row,
}

/// A text file of separated columns.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DelimitedFile {
    pub path: String,
    pub separator: String,
    pub encoding: Encoding,
    /// Whether line 1 names the columns. Without it, `columns` lists all of them in file order.
    pub header: bool,
    pub columns: Vec<ColumnRule>,
    #[serde(default)]
    pub optional: bool,
    /// What is read, with a warning, where `path` is absent.
    pub stand_in: Option<StandIn>,
}

/// A file that is not the official one.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StandIn {
    pub path: String,
    /// How it differs.
    pub warning: String,
}

/// Character encoding of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Encoding {
    Ascii,
    #[serde(rename = "utf-8")]
    Utf8,
    #[serde(rename = "iso-8859-1")]
    Latin1,
}

/// A column that is read.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ColumnRule {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: ColumnType,
}

/// What a column's text must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ColumnType {
    /// A whole number.
    Int,
    /// A finite number.
    Number,
    /// 0 or 1.
    Bit,
    /// Anything, also nothing.
    Text,
}

impl Descriptor {
    /// The embedded descriptor called `name`.
    pub fn find(name: &str) -> Result<Descriptor, DataError> {
        let Some((_, text)) = EMBEDDED.iter().find(|(known, _)| *known == name) else {
            return Err(DataError::UnknownDataset { name: name.to_owned(), known: known_names().join(", ") });
        };
        Descriptor::parse(name, text)
    }

    /// Parses the text of a descriptor.
    pub fn parse(name: &str, text: &str) -> Result<Descriptor, DataError> {
        let mut descriptor: Descriptor = toml::from_str(text)
            .map_err(|error| DataError::Descriptor { name: name.to_owned(), message: error.to_string() })?;
        descriptor.text = text.to_owned();
        Ok(descriptor)
    }
}

impl Source {
    /// Every file, in a fixed order.
    pub fn files(&self) -> Vec<DelimitedFile> {
        let mut files: Vec<DelimitedFile> = self.log.files().into_iter().map(|(_, file)| file).collect();
        files.extend([&self.users, &self.items].into_iter().flatten().map(|entity| entity.file.clone()));
        files.extend(self.earlier.as_ref().map(|earlier| earlier.file.clone()));
        files
    }
}

impl LogFile {
    /// The files of the log with their part of the published split; without one, one file that is not cut yet.
    pub fn files(&self) -> Vec<(Split, DelimitedFile)> {
        let mut files = vec![(Split::Train, self.file.clone())];
        if let Some(HeldOutFiles { validation, test }) = &self.held_out {
            for (part, path) in [(Split::Validation, validation), (Split::Test, test)] {
                files.push((part, DelimitedFile { path: path.clone(), stand_in: None, ..self.file.clone() }));
            }
        }
        files
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_descriptor_parses_and_its_fields_name_columns_that_are_read() {
        for name in known_names() {
            let descriptor = Descriptor::find(name).unwrap();
            assert_eq!(descriptor.name, name);
            let Some(source) = descriptor.source else { continue };
            for field in &source.fields {
                let file = match field.of {
                    Owner::User => &source.users.as_ref().expect("users").file,
                    Owner::Item => &source.items.as_ref().expect("items").file,
                    Owner::Row => &source.log.file,
                };
                for column in &field.columns {
                    assert!(file.columns.iter().any(|c| c.name == *column), "{name}: {column}");
                }
            }
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let message = Descriptor::find("movielens").unwrap_err().to_string();
        assert_eq!(
            message,
            "unknown dataset 'movielens'; known: synthetic, movielens-100k, movielens-1m, kuairand-pure, frappe"
        );
    }
}

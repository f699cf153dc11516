//! The dataset descriptors of `datasets/*.toml`, embedded in the binary.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::config::invalid;
use crate::transform::Transform;
use crate::{DataError, Split};

/// Name and descriptor text of every dataset.
const EMBEDDED: [(&str, &str); 21] = [
    ("synthetic", include_str!("../../../datasets/synthetic.toml")),
    ("movielens-latest-small", include_str!("../../../datasets/movielens-latest-small.toml")),
    ("movielens-100k", include_str!("../../../datasets/movielens-100k.toml")),
    ("movielens-1m", include_str!("../../../datasets/movielens-1m.toml")),
    ("movielens-10m", include_str!("../../../datasets/movielens-10m.toml")),
    ("movielens-20m", include_str!("../../../datasets/movielens-20m.toml")),
    ("movielens-25m", include_str!("../../../datasets/movielens-25m.toml")),
    ("movielens-32m", include_str!("../../../datasets/movielens-32m.toml")),
    ("kuairand-pure", include_str!("../../../datasets/kuairand-pure.toml")),
    ("kuairand-1k", include_str!("../../../datasets/kuairand-1k.toml")),
    ("amazon-2014", include_str!("../../../datasets/amazon-2014.toml")),
    ("amazon-2018", include_str!("../../../datasets/amazon-2018.toml")),
    ("amazon-2023", include_str!("../../../datasets/amazon-2023.toml")),
    ("taobao-ads", include_str!("../../../datasets/taobao-ads.toml")),
    ("taobao-userbehavior", include_str!("../../../datasets/taobao-userbehavior.toml")),
    ("frappe", include_str!("../../../datasets/frappe.toml")),
    ("frappe-libfm", include_str!("../../../datasets/frappe-libfm.toml")),
    ("movielens-latest-x1", include_str!("../../../datasets/movielens-latest-x1.toml")),
    ("movielens-latest-libfm", include_str!("../../../datasets/movielens-latest-libfm.toml")),
    ("criteo-x1", include_str!("../../../datasets/criteo-x1.toml")),
    ("avazu-x1", include_str!("../../../datasets/avazu-x1.toml")),
];

/// Stands for the category in descriptors of sources that are published in categories.
const CATEGORY: &str = "{category}";

const DEFAULT_CATEGORY: &str = "Electronics";

/// Names of the datasets that [`crate::load`] knows beside descriptors of the user's own.
pub fn known_names() -> Vec<&'static str> {
    EMBEDDED.iter().map(|(name, _)| *name).collect()
}

/// Whether `name` is one of [`known_names`], or the path of a descriptor of the user's own.
///
/// # Errors
/// [`DataError::UnknownDataset`] with the known names.
pub fn check_name(name: &str) -> Result<(), DataError> {
    if name.ends_with(".toml") || known_names().contains(&name) {
        return Ok(());
    }
    Err(DataError::UnknownDataset { name: name.to_owned(), known: known_names().join(", ") })
}

/// What is known of a dataset before its files are read.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Descriptor {
    pub name: String,
    pub title: String,
    #[serde(default = "not_stated")]
    pub home_page: String,
    #[serde(default = "not_stated")]
    pub licence: String,
    #[serde(default = "not_stated")]
    pub citation: String,
    pub expected: Option<Expected>,
    /// The same by category, for sources that are published in categories.
    #[serde(default)]
    pub expected_of: BTreeMap<String, Expected>,
    /// Published MD5 of files, by name; `data verify` compares.
    #[serde(default)]
    pub md5: BTreeMap<String, String>,
    /// What `data download` fetches; nothing where the official address cannot be fetched without an account.
    #[serde(default)]
    pub download: Vec<Download>,
    /// Absent for a generated dataset.
    pub source: Option<Source>,
    /// The descriptor as written, which is part of the cache key.
    #[serde(skip)]
    pub text: String,
    /// Folder of a descriptor of the user's own, whose files lie beside it.
    #[serde(skip)]
    pub own_folder: Option<PathBuf>,
}

fn not_stated() -> String {
    "not stated".to_owned()
}

/// A file at its official address.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Download {
    pub url: String,
    /// MD5 in hexadecimal, where one is published.
    pub md5: Option<String>,
    /// Size, where one is published.
    pub bytes: Option<u64>,
    /// Files taken out of the archive, by file name, in whatever folder they are. Empty: the file is kept as it is.
    #[serde(default)]
    pub unpack: Vec<String>,
}

/// Published counts of the official files, as far as there are any; others are reported, not refused.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expected {
    pub users: Option<u64>,
    pub items: Option<u64>,
    pub rows: Option<u64>,
}

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
}

/// Which file holds a field's columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Owner {
    User,
    Item,
    Row,
}

/// A file with columns; one whose name ends in `.gz` is decompressed while it is read.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SourceFile {
    pub path: String,
    #[serde(default)]
    pub format: Format,
    #[serde(default = "comma")]
    pub separator: String,
    #[serde(default)]
    pub encoding: Encoding,
    /// Whether line 1 names the columns. Without it, `columns` lists all of them in file order.
    #[serde(default = "yes")]
    pub header: bool,
    pub columns: Vec<ColumnRule>,
    /// Texts that mean that a value is absent, such as `\\N`.
    #[serde(default)]
    pub missing: Vec<String>,
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

impl SourceFile {
    /// The cell, or nothing where it means that the value is absent.
    pub fn present<'t>(&self, cell: &'t str) -> &'t str {
        if self.missing.iter().any(|missing| missing == cell) { "" } else { cell }
    }
}

fn comma() -> String {
    ",".to_owned()
}

fn yes() -> bool {
    true
}

/// How a file holds its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Format {
    /// A line of cells with a separator between them; with a comma, cells may be quoted.
    #[default]
    Delimited,
    /// A JSON object per line.
    JsonLines,
    /// A Python dictionary per line, as in the Amazon metadata of 2014.
    PythonLines,
    /// `label id:1 id:1 …`
    Libfm,
    Parquet,
}

/// Character encoding of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Encoding {
    Ascii,
    #[default]
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
    /// The embedded descriptor called `name`, or the user's own at the path `name` that ends in `.toml`. `category` is the
    /// part that is meant where a source is published in categories.
    pub fn find(name: &str, category: Option<&str>) -> Result<Descriptor, DataError> {
        if name.ends_with(".toml") {
            return Descriptor::read(Path::new(name));
        }
        let unknown = || DataError::UnknownDataset { name: name.to_owned(), known: known_names().join(", ") };
        let (_, text) = EMBEDDED.iter().find(|(known, _)| *known == name).ok_or_else(unknown)?;
        if text.contains(CATEGORY) {
            let category = category.unwrap_or(DEFAULT_CATEGORY);
            if !category.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                let remedy = "use the category as the file names write it, for example Movies_and_TV";
                return Err(invalid("category", category, remedy));
            }
            let mut descriptor =
                Descriptor::parse(&format!("datasets/{name}.toml"), &text.replace(CATEGORY, category))?;
            descriptor.expected = descriptor.expected_of.get(category).cloned();
            return Ok(descriptor);
        }
        if let Some(category) = category {
            return Err(invalid("category", category, &format!("{name} is not published in categories: remove it")));
        }
        Descriptor::parse(&format!("datasets/{name}.toml"), text)
    }

    fn read(path: &Path) -> Result<Descriptor, DataError> {
        let text = std::fs::read_to_string(path).map_err(DataError::io("read", path))?;
        let mut descriptor = Descriptor::parse(&path.display().to_string(), &text)?;
        let fault =
            |message: &str| DataError::Descriptor { name: path.display().to_string(), message: message.to_owned() };
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if descriptor.name.is_empty() || !descriptor.name.chars().all(allowed) {
            return Err(fault("name becomes part of file names: use letters, digits, - and _"));
        }
        if known_names().contains(&descriptor.name.as_str()) {
            return Err(fault(&format!("'{}' is the name of a dataset of ctrbench: choose another", descriptor.name)));
        }
        if descriptor.source.is_none() {
            return Err(fault("[source] is missing: it says which files hold the log; docs/data.md has an example"));
        }
        descriptor.own_folder = Some(path.parent().unwrap_or(Path::new("")).to_owned());
        Ok(descriptor)
    }

    /// Parses the text of a descriptor.
    pub fn parse(name: &str, text: &str) -> Result<Descriptor, DataError> {
        let mut descriptor: Descriptor = toml::from_str(text)
            .map_err(|error| DataError::Descriptor { name: name.to_owned(), message: error.to_string() })?;
        descriptor.text = text.to_owned();
        let fault = |message: String| DataError::Descriptor { name: name.to_owned(), message };
        for file in descriptor.source.iter().flat_map(Source::files) {
            let mut names: Vec<&str> = file.columns.iter().map(|column| column.name.as_str()).collect();
            names.sort_unstable();
            let twice = names.windows(2).any(|pair| pair[0] == pair[1]);
            if names.is_empty() || twice || names[0].is_empty() {
                return Err(fault(format!("{} needs columns, each with a name of its own", file.path)));
            }
        }
        for field in descriptor.source.iter().flat_map(|source| &source.fields) {
            let is_bucket = field.transform == Transform::Bucket;
            if is_bucket == field.bounds.is_empty() || !field.bounds.is_sorted_by(|a, b| a < b) {
                let message = format!(
                    "field '{}' has transform {:?} and bounds {:?}; a bucket needs ascending bounds, and only it has any",
                    field.name, field.transform, field.bounds
                );
                return Err(DataError::Descriptor { name: name.to_owned(), message });
            }
            let source = descriptor.source.as_ref();
            let owner_file = match field.of {
                Owner::User => source.and_then(|source| source.users.as_ref()).is_some(),
                Owner::Item => source.and_then(|source| source.items.as_ref()).is_some(),
                Owner::Row => true,
            };
            if !owner_file {
                let message =
                    format!("field '{}' is of a {:?}, but the source has no file of them", field.name, field.of);
                return Err(fault(message.to_lowercase()));
            }
            if field.columns.is_empty() || (field.columns.len() > 1 && field.transform != Transform::Flags) {
                let message = format!("field '{}' needs one column; only flags have several", field.name);
                return Err(DataError::Descriptor { name: name.to_owned(), message });
            }
        }
        let files = descriptor.source.iter().flat_map(Source::files);
        if let Some(file) = files.into_iter().find(|file| file.separator.is_empty() || !file.separator.is_ascii()) {
            let message = format!("the separator of {} is '{}'; it must be ASCII text", file.path, file.separator);
            return Err(DataError::Descriptor { name: name.to_owned(), message });
        }
        Ok(descriptor)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_descriptor_parses_and_its_fields_name_columns_that_are_read() {
        for name in known_names() {
            let descriptor = Descriptor::find(name, None).unwrap();
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
        let message = Descriptor::find("movielens", None).unwrap_err().to_string();
        assert!(
            message.starts_with("unknown dataset 'movielens'; known: synthetic, movielens-latest-small, "),
            "{message}"
        );
    }
}

//! How one file of a dataset is written.

use serde::Deserialize;

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
    /// A finite number, or nothing.
    Number,
    /// 0 or 1.
    Bit,
    /// Anything, also nothing.
    Text,
}

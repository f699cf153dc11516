//! Whether the files are the official ones.

use std::fs;
use std::path::PathBuf;

use serde::Serialize;

use crate::checksum::{md5_of, md5_with_windows_line_ends};
use crate::config::invalid;
use crate::descriptor::Descriptor;
use crate::folder::{Folder, data_variable};
use crate::log::Log;
use crate::read_log::read_log;
use crate::{DataError, DatasetConfig, NO_USER};

/// The files of a dataset, and their counts beside the published ones.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verification {
    /// Name of the dataset.
    pub dataset: String,
    /// Every file that is read.
    pub files: Vec<VerifiedFile>,
    /// Rows, users, items with rows and items listed.
    pub counts: Vec<VerifiedCount>,
    /// Lines left out, and files that stand in for official ones.
    pub warnings: Vec<String>,
}

/// A file that was read.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VerifiedFile {
    /// Where it lies.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Whether its MD5 is the published one; nothing where none is published.
    pub has_published_md5: Option<bool>,
    /// Whether the MD5 is another one for no more than the ends of lines.
    pub differs_in_line_ends: bool,
}

/// A count of the files.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VerifiedCount {
    /// `rows`, `users`, `items` (with rows) or `items listed` (in the file of items).
    pub what: &'static str,
    /// As counted.
    pub found: u64,
    /// As published, if it is.
    pub published: Option<u64>,
}

impl VerifiedCount {
    /// Whether the count is another one than the published.
    pub fn differs(&self) -> bool {
        self.published.is_some_and(|published| published != self.found)
    }
}

impl Verification {
    /// Whether every published count was met, and every file is the official one.
    pub fn is_official(&self) -> bool {
        let differs = |file: &VerifiedFile| file.has_published_md5 == Some(false) && !file.differs_in_line_ends;
        let files_differ = self.files.iter().any(differs);
        !files_differ && !self.counts.iter().any(VerifiedCount::differs) && self.warnings.is_empty()
    }
}

/// Reads all files of a dataset, from the first line to the last, and counts.
///
/// # Errors
/// As [`crate::load`].
pub fn verify(config: &DatasetConfig, progress: &dyn Fn(&str)) -> Result<Verification, DataError> {
    let descriptor = Descriptor::find(&config.name, config.category.as_deref())?;
    config.validate()?;
    let name = descriptor.name.clone();
    let Some(source) = &descriptor.source else {
        return Err(invalid("name", name, "it is drawn when it is loaded; there is no file to verify"));
    };
    let folder = Folder::find(config, &descriptor, data_variable())?;
    let mut files = Vec::new();
    for file in source.files() {
        if let Some(path) = folder.file(&file)? {
            let bytes = fs::metadata(&path).map_err(DataError::io("read", &path))?.len();
            let published = descriptor.md5.get(&file.path).filter(|_| path.ends_with(&file.path));
            let has_published_md5 = match published {
                Some(published) => Some(md5_of(&path)?.eq_ignore_ascii_case(published)),
                None => None,
            };
            let differs_in_line_ends = match published.filter(|_| has_published_md5 == Some(false)) {
                Some(published) => md5_with_windows_line_ends(&path)?.eq_ignore_ascii_case(published),
                None => false,
            };
            files.push(VerifiedFile { path, bytes, has_published_md5, differs_in_line_ends });
        } else {
            progress(&format!("{name}: {} is absent, which it may be", file.path));
        }
    }
    progress(&format!("{name}: reading {} files", files.len()));
    let log = read_log(config, source, &folder)?;
    let counts = counts(&descriptor, &log);
    let mut warnings = log.origin.warnings;
    if let (Some(official), (Some(first), Some(last))) =
        (source.clock_range, (log.time.iter().min(), log.time.iter().max()))
        && official != [*first, *last]
    {
        let [from, to] = official;
        warnings.push(format!("times go from {first} to {last}, those of the official file from {from} to {to}"));
    }
    Ok(Verification { dataset: name, files, counts, warnings })
}

/// The counts of a log beside the published ones.
pub(crate) fn counts(descriptor: &Descriptor, log: &Log) -> Vec<VerifiedCount> {
    let expected = descriptor.expected.clone().unwrap_or_default();
    let counts = [
        ("rows", Some(log.origin.raw_rows), expected.rows),
        ("users", Some(log.user_keys.len()).filter(|_| log.user_keys != [NO_USER]), expected.users),
        ("items", Some(log.items_with_rows()), expected.items),
        ("items listed", log.origin.items_listed, expected.items_listed),
    ];
    let counted = |(what, found, published): (_, Option<usize>, _)| {
        found.map(|found| VerifiedCount { what, found: found as u64, published })
    };
    counts.into_iter().filter_map(counted).collect()
}

//! What happens to lines that cannot be read.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::DataError;

/// What happens to lines that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BadRowRule {
    /// The first one ends loading.
    #[default]
    Error,
    /// They are left out and counted; more than 1 % of a file's lines end loading all the same.
    Skip,
}

/// Largest share of a file's lines that may be left out.
const LARGEST_SHARE: f64 = 0.01;

/// The lines that were left out so far.
#[derive(Debug)]
pub(crate) struct BadRows {
    rule: BadRowRule,
    /// Of all files.
    pub skipped: u64,
    /// One per file that lacks lines.
    pub warnings: Vec<String>,
    of_file: u64,
    first_of_file: Option<DataError>,
}

impl BadRows {
    /// None yet.
    pub fn new(rule: BadRowRule) -> BadRows {
        BadRows { rule, skipped: 0, warnings: Vec::new(), of_file: 0, first_of_file: None }
    }

    /// Whether lines may be left out.
    pub fn may_skip(&self) -> bool {
        self.rule == BadRowRule::Skip
    }

    /// Leaves a line out.
    ///
    /// # Errors
    /// The line's own fault, if none may be left out.
    pub fn skip(&mut self, fault: DataError) -> Result<(), DataError> {
        if self.rule == BadRowRule::Error {
            return Err(fault);
        }
        self.of_file += 1;
        self.first_of_file.get_or_insert(fault);
        Ok(())
    }

    /// The file at `path` has ended, of which `rows` lines were read.
    ///
    /// # Errors
    /// [`DataError::TooManyBadRows`].
    pub fn end_file(&mut self, path: &Path, rows: usize) -> Result<(), DataError> {
        let (skipped, first) = (std::mem::take(&mut self.of_file), self.first_of_file.take());
        let Some(first) = first else { return Ok(()) };
        let lines = rows as u64 + skipped;
        if skipped as f64 > LARGEST_SHARE * lines as f64 {
            return Err(DataError::TooManyBadRows { file: path.to_owned(), skipped, lines, first: Box::new(first) });
        }
        self.skipped += skipped;
        self.warnings.push(format!("{}: {skipped} of {lines} lines were left out; the first: {first}", path.display()));
        Ok(())
    }
}

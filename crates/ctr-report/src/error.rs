//! What can go wrong when results are written or read.

use std::path::{Path, PathBuf};

/// Why a result was not written or read.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The file system refused.
    #[error("cannot {action} {}: {cause}; check that the results folder (results_dir) can be read and written and the disk is not full", path.display())]
    Io {
        /// What was tried, as `write`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        cause: std::io::Error,
    },
    /// A run folder that another process writes into.
    #[error("{} is being written by another ctrbench; wait for it to end, or end it", folder.display())]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// A run name that is no folder name.
    #[error("{name:?} cannot be a run's name: use letters, digits, '-', '_' and '.', beginning with a letter or digit")]
    RunName {
        /// The name given.
        name: String,
    },
    /// A file that is no run record.
    #[error("{} is not a run record: {message}; give the run.json of a ctrbench run", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column.
        message: String,
    },
    /// A run record of another schema version.
    #[error("{} has schema version {found}, this ctrbench reads {expected}; use the ctrbench that wrote it or run again", path.display())]
    SchemaVersion {
        /// The file.
        path: PathBuf,
        /// The version found.
        found: u64,
        /// The version that this code writes and reads.
        expected: u64,
    },
    /// A user row that names no user.
    #[error("user {user} of a result has no key: the data set has {users} users")]
    UserIndex {
        /// The index given.
        user: u32,
        /// Number of keys.
        users: usize,
    },
    /// A value could not be written as JSON.
    #[error("cannot write {what} as JSON: {message}")]
    Json {
        /// What was to be written.
        what: &'static str,
        /// The serialiser's answer.
        message: String,
    },
    /// A Parquet file could not be written.
    #[error("cannot write the Parquet file {}: {message}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// The writer's answer.
        message: String,
    },
    /// A plot could not be drawn.
    #[error("cannot draw the plot {plot}: {message}")]
    Plot {
        /// Its name.
        plot: String,
        /// The backend's answer.
        message: String,
    },
}

impl ReportError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |cause| ReportError::Io { action, path, cause }
    }
}

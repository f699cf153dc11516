//! What can go wrong while loading, in words that say what to do.

use std::path::PathBuf;

/// Why a dataset could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// No dataset has this name.
    #[error("unknown dataset '{name}'; known: {known}, and the path of a descriptor of your own, which ends in .toml")]
    UnknownDataset {
        /// Name asked for.
        name: String,
        /// Comma-separated list of known names.
        known: String,
    },
    /// A configuration value that cannot work.
    #[error("{key} = {value} is not possible: {remedy}")]
    InvalidConfig {
        /// Configuration key.
        key: String,
        /// Value seen.
        value: String,
        /// What to do.
        remedy: String,
    },
    /// Nobody said where the data are.
    #[error(
        "{dataset} needs its official files, and no data folder is set: pass --data-dir DIR, set data_dir in the \
         config, or set CTRBENCH_DATA; DIR must hold a subfolder '{dataset}'. Download: {home_page}"
    )]
    NoDataDir {
        /// Dataset name.
        dataset: String,
        /// Where to get it.
        home_page: String,
    },
    /// The folder or one of its files is absent.
    #[error(
        "{dataset}: {path} does not exist (data folder taken from {origin}; ways to set it are --data-dir, \
         data_dir in the config and CTRBENCH_DATA). Fetch the official files with `ctrbench data download {dataset}`, or from \
         {home_page}, and put them there"
    )]
    MissingFile {
        /// Dataset name.
        dataset: String,
        /// Path looked at.
        path: PathBuf,
        /// Where the data folder was named.
        origin: String,
        /// Where to get the dataset.
        home_page: String,
    },
    /// A file of a descriptor of the user's own is absent.
    #[error(
        "{path} does not exist; the files of a descriptor of your own lie beside it, or in the folder DIR/{dataset} with \
         --data-dir DIR"
    )]
    MissingOwnFile {
        /// Name in the descriptor.
        dataset: String,
        /// Path looked at.
        path: PathBuf,
    },
    /// The header lacks a column.
    #[error("{file}: line 1: no column '{column}' (found: {found}); put the official file there, which has it, or correct columns and separator in a descriptor of your own", file = file.display())]
    MissingColumn {
        /// File read.
        file: PathBuf,
        /// Column needed.
        column: String,
        /// Columns found.
        found: String,
    },
    /// A row that cannot be read.
    #[error("{file}: line {line}: column '{column}': '{value}' {remedy}", file = file.display())]
    Malformed {
        /// File read.
        file: PathBuf,
        /// Line, counted from 1.
        line: u64,
        /// Column name.
        column: String,
        /// Text seen.
        value: String,
        /// What was expected and what to do.
        remedy: String,
    },
    /// More lines were left out than `bad_rows = "skip"` admits.
    #[error("{file}: {skipped} of {lines} lines cannot be read, more than 1 %, so this is another file than its descriptor says; the first: {first}", file = file.display())]
    TooManyBadRows {
        /// File read.
        file: PathBuf,
        /// Lines left out.
        skipped: u64,
        /// Lines in all.
        lines: u64,
        /// The first fault.
        first: Box<DataError>,
    },
    /// There is no address that can be fetched without an account.
    #[error(
        "{dataset} cannot be downloaded without an account: get {files} from {home_page} and put them into the subfolder '{dataset}' of your data folder"
    )]
    NoDownload {
        /// Dataset name.
        dataset: String,
        /// Where to get it.
        home_page: String,
        /// The files that are read.
        files: String,
    },
    /// Files are fetched only under terms that the user has seen.
    #[error(
        "{dataset} is published under these terms: {licence} ({home_page}). If you accept them, run the command again with --accept-license"
    )]
    LicenceNotAccepted {
        /// Dataset name.
        dataset: String,
        /// Terms as published.
        licence: String,
        /// Where they are.
        home_page: String,
    },
    /// A file did not come as it should.
    #[error("{url}: {what}; {remedy}")]
    Download {
        /// Address.
        url: String,
        /// What happened.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// An archive cannot be unpacked.
    #[error("{path} {message}; delete it and download it again", path = path.display())]
    Archive {
        /// The archive.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// The file has no rows.
    #[error("{file} has no data rows; download it again", file = file.display())]
    EmptyFile {
        /// File read.
        file: PathBuf,
    },
    /// All labels are equal.
    #[error("{dataset}: every one of the {rows} {part} labels is {class} ({rule}); {remedy}")]
    OneClass {
        /// Dataset name.
        dataset: String,
        /// `training`, or `loaded` for all parts together.
        part: String,
        /// Labels seen.
        rows: usize,
        /// The only class, 0 or 1.
        class: u8,
        /// Label rule.
        rule: String,
        /// What to do.
        remedy: String,
    },
    /// A part of the split has no samples.
    #[error("{dataset}: the {part} part is empty ({rule}, {rows} rows in all); {remedy}")]
    EmptySplit {
        /// Dataset name.
        dataset: String,
        /// `training`, `validation` or `test`.
        part: String,
        /// Split rule with its fractions.
        rule: String,
        /// Rows of all parts together.
        rows: usize,
        /// What to do.
        remedy: String,
    },
    /// A global time cut on a column that is no clock.
    #[error(
        "{dataset}: split 'global-temporal' needs real timestamps, but the time column runs from {first} to {last} \
         where the official file runs from {official_first} to {official_last}, so it carries order only; use \
         'user-temporal', or the official file"
    )]
    NoClock {
        /// Dataset name.
        dataset: String,
        /// First time seen.
        first: i64,
        /// Last time seen.
        last: i64,
        /// First time of the official file.
        official_first: i64,
        /// Last time of the official file.
        official_last: i64,
    },
    /// The split guard found a leak: impressions that the source holds twice, or a defect of ctrbench.
    #[error(
        "{dataset}: split guard: {check}: {detail}; remove rows that the source holds twice (drop_repeats in a descriptor of your own); where it holds none twice, this is a defect of ctrbench, please report it"
    )]
    Guard {
        /// Dataset name.
        dataset: String,
        /// Check that failed.
        check: String,
        /// What was seen.
        detail: String,
    },
    /// A descriptor does not parse, or does not fit its files.
    #[error("{name}: {message}")]
    Descriptor {
        /// Path of the descriptor, or of the file that it does not fit.
        name: String,
        /// What the parser said.
        message: String,
    },
    /// The operating system refused.
    #[error("could not {action} {path}: {cause}; check that it exists, that you may {action} it, and that the disk is not full", path = path.display())]
    Io {
        /// `read`, `write`, ...
        action: &'static str,
        /// Path.
        path: PathBuf,
        /// Cause.
        cause: std::io::Error,
    },
    /// A Parquet file could not be written or read.
    #[error("could not {action} {path}: {message}; if it lies in the cache folder, delete it and run again", path = path.display())]
    Parquet {
        /// `read` or `write`.
        action: &'static str,
        /// Path.
        path: PathBuf,
        /// What the library said.
        message: String,
    },
}

impl DataError {
    /// Turns an I/O failure on `path` into an error that names both.
    pub(crate) fn io(action: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> DataError {
        let path = path.to_owned();
        move |cause| DataError::Io { action, path, cause }
    }
}

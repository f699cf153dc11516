//! The folder of one run: `<results>/<name>/<run-id>/`. Every file in it is complete at any time.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::atomic_file::{is_temporary, write_bytes};
use crate::plot::write_figure;
use crate::table::{Comparison, FILE_FORMATS};
use crate::timestamp::rfc3339_utc;
use crate::{PLANTED_DRIFT, ReportError, RunRecord, UserRows, plot, write_timings, write_users};

/// Where a run's results are written, by one process at a time.
///
/// - `config.toml`: the configuration as resolved
/// - `run.json`: everything measured ([`RunRecord`])
/// - `users.parquet`, `timings.parquet`: per user
/// - `excluded-users-<protocol>.csv`: users that were not fine-tuned, with the reason
/// - `tables/cloud.md`, `.csv`, `.json`: the cloud models on the whole judged part
/// - `tables/<protocol>.md`, `.csv`, `.json`
/// - `tables/planted-drift-<target CTR>.md`, `.csv`, `.json`: of the users of each planted CTR
/// - `plots/*.svg`, `.png`
#[derive(Debug, Clone)]
pub struct RunFolder {
    path: PathBuf,
    run_id: String,
    /// The folder itself, locked as long as this value or a clone of it lives; `None` where folders cannot be locked.
    _lock: Option<Arc<File>>,
}

impl RunFolder {
    /// Makes a new folder for a run that started at `started`. The run's id is the time in UTC, `20260131T120000Z`, with
    /// `-2`, `-3`, … where another run of that name has it already.
    ///
    /// # Errors
    /// A name that is no folder name; a folder that cannot be made.
    pub fn create(results: &Path, name: &str, started: SystemTime) -> Result<Self, ReportError> {
        check_run_name(name)?;
        let parent = results.join(name);
        fs::create_dir_all(&parent).map_err(ReportError::io("create", &parent))?;
        let time: String = rfc3339_utc(started).chars().filter(|c| !matches!(c, '-' | ':')).collect();
        let mut attempt = 1;
        loop {
            let run_id = if attempt == 1 { time.clone() } else { format!("{time}-{attempt}") };
            let path = parent.join(&run_id);
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self { _lock: lock(&path)?, path, run_id }),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => attempt += 1,
                Err(error) => return Err(ReportError::io("create", &path)(error)),
            }
        }
    }

    /// The folder of an earlier run, to be continued.
    ///
    /// # Errors
    /// A path that is no folder; a folder that another process writes into.
    pub fn open(path: &Path) -> Result<Self, ReportError> {
        let path = fs::canonicalize(path).map_err(ReportError::io("open", path))?;
        let run_id = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let folder = Self { _lock: lock(&path)?, path, run_id };
        // What a killed process was writing, if this is a run's folder. Nobody else writes here now.
        if folder.path.join("config.toml").is_file() {
            for part in ["", "tables", "plots"] {
                remove_files(&folder.path.join(part), is_temporary);
            }
        }
        Ok(folder)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Name of the folder, unique among the runs of its name.
    pub fn run_id(&self) -> &str {
        &self.run_id
    }

    /// Writes `config.toml`.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write_config(&self, toml: &str) -> Result<(), ReportError> {
        write_bytes(&self.path.join("config.toml"), toml.as_bytes())
    }

    /// Writes `run.json`.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write_record(&self, record: &RunRecord) -> Result<(), ReportError> {
        let mut json = serde_json::to_string_pretty(record)
            .map_err(|error| ReportError::Json { what: "the run record", message: error.to_string() })?;
        json.push('\n');
        write_bytes(&self.path.join("run.json"), json.as_bytes())
    }

    /// Writes `users.parquet` and `timings.parquet`.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write_users(&self, users: &UserRows) -> Result<(), ReportError> {
        write_users(&self.path.join("users.parquet"), users)?;
        write_timings(&self.path.join("timings.parquet"), users)
    }

    /// Writes `excluded-users-<protocol>.csv`: each user that was kept out, by key, with the reason.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write_excluded_users(&self, protocol: &str, users: &[(String, &str)]) -> Result<(), ReportError> {
        let mut csv = String::from("user,reason\n");
        for (user, reason) in users {
            // Keys are text from the source files: quoted, so that a comma in one stays in its column.
            csv += &format!("\"{}\",{reason}\n", user.replace('"', "\"\""));
        }
        write_bytes(&self.path.join(format!("excluded-users-{protocol}.csv")), csv.as_bytes())
    }

    /// Writes the table of the cloud models, one per protocol and one per planted CTR, in every format, into `tables/`.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write_tables(&self, record: &RunRecord) -> Result<(), ReportError> {
        let mut comparisons = vec![Comparison::of_cloud_models(record)];
        comparisons.extend(Comparison::by_protocol(record));
        comparisons.extend(Comparison::by_target_ctr(record));
        let folder = self.path.join("tables");
        let mut written = BTreeSet::new();
        for comparison in comparisons {
            for format in FILE_FORMATS {
                let file = format!("{}.{}", comparison.file_stem(), format.extension());
                write_bytes(&folder.join(&file), format.render(&comparison)?.as_bytes())?;
                written.insert(file);
            }
        }
        // Those of other target CTRs, where a run was resumed with other settings.
        let of_a_target = format!("{PLANTED_DRIFT}-");
        remove_files(&folder, |name| name.starts_with(&of_a_target) && !written.contains(name));
        Ok(())
    }

    /// Draws every plot that there are data for into `plots/`, as SVG and PNG.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write_plots(&self, record: &RunRecord, users: &UserRows) -> Result<(), ReportError> {
        let (folder, source) = (self.path.join("plots"), plot::source(record));
        for comparison in &Comparison::by_protocol(record) {
            for quantity in [plot::Quantity::Value, plot::Quantity::Change] {
                if let Some(figure) = plot::MetricByMethod::new(comparison, quantity) {
                    write_figure(&folder, &figure, &source)?;
                }
            }
        }
        if let Some(figure) = plot::LocalCtrHistogram::new(users) {
            write_figure(&folder, &figure, &source)?;
        }
        if let Some(figure) = plot::DriftCurve::new(&record.curve, record.global_ctr) {
            write_figure(&folder, &figure, &source)?;
        }
        for figure in plot::AucChangeByDrift::all(users) {
            write_figure(&folder, &figure, &source)?;
        }
        Ok(())
    }
}

/// Writes record, user files, tables and plots from what there is so far, the record first. Call it whenever data have
/// arrived: each file is replaced as a whole.
///
/// # Errors
/// The first file that cannot be written; those before it are complete.
pub fn write_report(record: &RunRecord, users: &UserRows, folder: &RunFolder) -> Result<(), ReportError> {
    folder.write_record(record)?;
    if !users.blocks().is_empty() {
        folder.write_users(users)?;
    }
    folder.write_tables(record)?;
    folder.write_plots(record, users)
}

/// Removes files of a folder by name, as far as that can be done: none of them is needed.
fn remove_files(folder: &Path, is_superfluous: impl Fn(&str) -> bool) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(&is_superfluous) && entry.path().is_file() {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// The system takes the lock away when the process ends, however it ends.
fn lock(folder: &Path) -> Result<Option<Arc<File>>, ReportError> {
    let Ok(file) = File::open(folder) else {
        return Ok(None);
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(Arc::new(file))),
        Err(TryLockError::WouldBlock) => Err(ReportError::InUse { folder: folder.to_owned() }),
        Err(TryLockError::Error(_)) => Ok(None),
    }
}

/// Refuses a run name that would be no folder of its own below the results.
///
/// # Errors
/// [`ReportError::RunName`].
pub fn check_run_name(name: &str) -> Result<(), ReportError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(allowed) {
        return Ok(());
    }
    Err(ReportError::RunName { name: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn runs_of_the_same_second_get_folders_of_their_own() {
        let results = tempfile::tempdir().expect("a folder");
        let started = UNIX_EPOCH + Duration::from_secs(1_709_251_200);
        let ids: Vec<String> = (0..3)
            .map(|_| RunFolder::create(results.path(), "movielens-1m", started).expect("creatable").run_id().to_owned())
            .collect();
        assert_eq!(ids, ["20240301T000000Z", "20240301T000000Z-2", "20240301T000000Z-3"]);
        assert!(results.path().join("movielens-1m/20240301T000000Z-3").is_dir());
    }

    #[test]
    fn a_folder_belongs_to_one_writer_at_a_time() {
        let results = tempfile::tempdir().expect("a folder");
        let first = RunFolder::create(results.path(), "run", UNIX_EPOCH).expect("creatable");
        let path = first.path().to_owned();
        let clone = first.clone();
        drop(first);
        assert!(matches!(RunFolder::open(&path), Err(ReportError::InUse { .. })));
        drop(clone);
        let leftover = path.join(".4711.run.json");
        fs::write(&leftover, "half").expect("writable");
        fs::write(path.join(".hidden"), "a user's own").expect("writable");
        assert!(RunFolder::open(&path).is_ok() && leftover.exists(), "no run's folder yet");
        fs::write(path.join("config.toml"), "").expect("writable");
        assert!(RunFolder::open(&path).is_ok());
        assert!(!leftover.exists() && path.join(".hidden").exists());
    }

    #[test]
    fn names_that_leave_the_results_folder_are_refused() {
        let results = tempfile::tempdir().expect("a folder");
        for name in ["", "..", "a/b", "/tmp", ".hidden", "a\\b"] {
            let refused = RunFolder::create(results.path(), name, UNIX_EPOCH);
            assert!(matches!(refused, Err(ReportError::RunName { .. })), "{name:?}");
        }
    }
}

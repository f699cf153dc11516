//! Files that are either complete or absent.

use std::fs;
use std::path::Path;

use crate::ReportError;

/// Lets `write` fill a file of a temporary name beside `path` and renames it to `path`, so that a killed run leaves the
/// former file and never half of a new one. The temporary name keeps the extension, by which encoders go.
pub(crate) fn write_with(path: &Path, write: impl FnOnce(&Path) -> Result<(), ReportError>) -> Result<(), ReportError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{}.{name}", std::process::id()));
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(ReportError::io("create", folder))?;
    }
    let written =
        write(&temporary).and_then(|()| fs::rename(&temporary, path).map_err(ReportError::io("replace", path)));
    if written.is_err() {
        // The first error is the one to report; the temporary file may not even exist.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Whether [`write_with`] gives this name to a file that is being written, in this process or another.
pub(crate) fn is_temporary(name: &str) -> bool {
    let process = name.strip_prefix('.').and_then(|rest| rest.split_once('.')).map(|(process, _)| process);
    process.is_some_and(|process| !process.is_empty() && process.chars().all(|c| c.is_ascii_digit()))
}

/// Replaces the file at `path` by `bytes`.
pub(crate) fn write_bytes(path: &Path, bytes: &[u8]) -> Result<(), ReportError> {
    write_with(path, |temporary| fs::write(temporary, bytes).map_err(ReportError::io("write", path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_former_file_and_no_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep/table.md");
        write_bytes(&path, b"before").expect("writable");
        let failed = write_with(&path, |temporary| {
            fs::write(temporary, b"hal").expect("writable");
            Err(ReportError::Json { what: "a table", message: "broken".into() })
        });
        assert!(failed.is_err());
        assert_eq!(fs::read(&path).expect("kept"), b"before");
        assert_eq!(fs::read_dir(folder.path().join("deep")).expect("a folder").count(), 1);
    }
}

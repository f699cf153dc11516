//! Wanted files out of an archive.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use flate2::read::GzDecoder;

use crate::DataError;

/// Text logs shrink to a fifth or a tenth; an archive that grows more than this is a bomb.
const LARGEST_GROWTH: u64 = 100;

/// Small archives may grow up to this whatever their size.
const ALWAYS_ADMITTED_BYTES: u64 = 64 << 20;

/// Writes the files called `wanted`, in whatever folder of `archive` they are, into `folder`. Links, other files and paths that
/// leave the archive are never written.
///
/// # Errors
/// [`DataError::Archive`] if it cannot be read, lacks a wanted file or holds it twice, or grows beyond reason; nothing of a
/// file that fails is left.
pub(super) fn unpack(archive: &Path, wanted: &[String], folder: &Path) -> Result<(), DataError> {
    let size = fs::metadata(archive).map_err(DataError::io("read", archive))?.len();
    let mut target = Target {
        archive,
        folder,
        wanted,
        written: Vec::new(),
        left: (size * LARGEST_GROWTH).max(ALWAYS_ADMITTED_BYTES),
    };
    let name = archive.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let result = if name.ends_with(".zip") {
        target.take_from_zip()
    } else if name.ends_with(".tar.gz") || name.ends_with(".tgz") {
        target.take_from_tar()
    } else {
        Err(target.fault("is neither .zip nor .tar.gz"))
    };
    result.and_then(|()| target.publish()).inspect_err(|_| target.discard())
}

struct Target<'a> {
    archive: &'a Path,
    folder: &'a Path,
    wanted: &'a [String],
    written: Vec<String>,
    /// Bytes that may still be written.
    left: u64,
}

impl Target<'_> {
    fn fault(&self, message: impl ToString) -> DataError {
        DataError::Archive { path: self.archive.to_owned(), message: message.to_string() }
    }

    fn temporary(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.unpacking"))
    }

    fn take_from_zip(&mut self) -> Result<(), DataError> {
        let file = File::open(self.archive).map_err(DataError::io("read", self.archive))?;
        let mut zip = zip::ZipArchive::new(file).map_err(|error| self.fault(error))?;
        for index in 0..zip.len() {
            let mut entry = zip.by_index(index).map_err(|error| self.fault(error))?;
            let path = PathBuf::from(&*entry.name().map_err(|error| self.fault(error))?);
            if let Some(name) = self.wants(&path, entry.is_file() && !entry.is_symlink()) {
                self.write(&name, &mut entry)?;
            }
        }
        Ok(())
    }

    fn take_from_tar(&mut self) -> Result<(), DataError> {
        let file = File::open(self.archive).map_err(DataError::io("read", self.archive))?;
        let mut tar = tar::Archive::new(GzDecoder::new(file));
        for entry in tar.entries().map_err(|error| self.fault(error))? {
            let mut entry = entry.map_err(|error| self.fault(error))?;
            let path = entry.path().map_err(|error| self.fault(error))?.into_owned();
            if let Some(name) = self.wants(&path, entry.header().entry_type().is_file()) {
                self.write(&name, &mut entry)?;
            }
        }
        Ok(())
    }

    /// Name of a wanted file at `path` of the archive.
    fn wants(&self, path: &Path, is_file: bool) -> Option<String> {
        let is_inside = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        let name = path.file_name()?.to_str()?;
        (is_file && is_inside && self.wanted.iter().any(|wanted| wanted == name)).then(|| name.to_owned())
    }

    fn write(&mut self, name: &str, from: &mut dyn Read) -> Result<(), DataError> {
        if self.written.iter().any(|written| written == name) {
            return Err(self.fault(format!("holds two files called {name}")));
        }
        self.written.push(name.to_owned());
        let path = self.temporary(name);
        let mut out = File::create(&path).map_err(DataError::io("write", &path))?;
        // One byte more than is left shows that there is more.
        let bytes = io::copy(&mut from.take(self.left + 1), &mut out).map_err(|error| self.fault(error))?;
        if bytes > self.left {
            return Err(self.fault(format!("grows to more than {LARGEST_GROWTH} times its size")));
        }
        self.left -= bytes;
        Ok(())
    }

    fn publish(&self) -> Result<(), DataError> {
        if let Some(lacking) = self.wanted.iter().find(|name| !self.written.contains(name)) {
            return Err(self.fault(format!("has no file {lacking}")));
        }
        for name in &self.written {
            let path = self.folder.join(name);
            fs::rename(self.temporary(name), &path).map_err(DataError::io("rename to", &path))?;
        }
        Ok(())
    }

    fn discard(&self) {
        for name in &self.written {
            // It may never have been made; what matters is that it is not there.
            let _ = fs::remove_file(self.temporary(name));
        }
    }
}

//! Where a dataset's files lie.

use std::path::{Path, PathBuf};

use crate::descriptor::Descriptor;
use crate::source_file::SourceFile;
use crate::{DataError, DatasetConfig};

/// The data folder that the environment variable `CTRBENCH_DATA` names, if it does.
pub(crate) fn data_variable() -> Option<PathBuf> {
    std::env::var_os(DATA_VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from)
}

const DATA_VARIABLE: &str = "CTRBENCH_DATA";

/// The folder of one dataset, found.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    origin: &'static str,
    dataset: String,
    home_page: String,
    is_own: bool,
}

impl Folder {
    /// The subfolder of the configured data folder; `variable` is the value of `CTRBENCH_DATA`.
    ///
    /// # Errors
    /// [`DataError::NoDataDir`] if no folder is set, [`DataError::MissingFile`] if it is not there.
    pub fn find(
        config: &DatasetConfig,
        descriptor: &Descriptor,
        variable: Option<PathBuf>,
    ) -> Result<Folder, DataError> {
        let (path, origin) = Folder::named(config, descriptor, variable)?;
        let (dataset, home_page) = (descriptor.name.clone(), descriptor.home_page.clone());
        let folder = Folder { path, origin, dataset, home_page, is_own: descriptor.own_folder.is_some() };
        if folder.path.is_dir() { Ok(folder) } else { Err(folder.missing(&folder.path)) }
    }

    /// The same path, whether it exists or not.
    ///
    /// # Errors
    /// [`DataError::NoDataDir`] if no folder is set.
    pub fn place(
        config: &DatasetConfig,
        descriptor: &Descriptor,
        variable: Option<PathBuf>,
    ) -> Result<PathBuf, DataError> {
        Ok(Folder::named(config, descriptor, variable)?.0)
    }

    fn named(
        config: &DatasetConfig,
        descriptor: &Descriptor,
        variable: Option<PathBuf>,
    ) -> Result<(PathBuf, &'static str), DataError> {
        let (dataset, home_page) = (descriptor.name.clone(), descriptor.home_page.clone());
        Ok(match (&config.data_dir, &descriptor.own_folder, variable) {
            (Some(dir), ..) => (dir.join(&dataset), "data_dir or --data-dir"),
            (None, Some(dir), _) if dir.as_os_str().is_empty() => (PathBuf::from("."), "the descriptor's place"),
            (None, Some(dir), _) => (dir.clone(), "the descriptor's place"),
            (None, None, Some(dir)) => (dir.join(&dataset), DATA_VARIABLE),
            (None, None, None) => return Err(DataError::NoDataDir { dataset, home_page }),
        })
    }

    /// Path of `file`, or of what stands in for it; nothing if it is optional and absent.
    ///
    /// # Errors
    /// [`DataError::MissingFile`] if it is absent and needed.
    pub fn file(&self, file: &SourceFile) -> Result<Option<PathBuf>, DataError> {
        let path = self.path.join(&file.path);
        let stand_in = file.stand_in.as_ref().map(|stand_in| self.path.join(&stand_in.path));
        if path.is_file() {
            Ok(Some(path))
        } else if let Some(stand_in) = stand_in.filter(|path| path.is_file()) {
            Ok(Some(stand_in))
        } else if file.optional {
            Ok(None)
        } else {
            Err(self.missing(&path))
        }
    }

    /// Path of `file`, whether or not it may be absent.
    ///
    /// # Errors
    /// [`DataError::MissingFile`] if it is absent.
    pub fn required(&self, file: &SourceFile) -> Result<PathBuf, DataError> {
        self.file(file)?.ok_or_else(|| self.missing(&self.path.join(&file.path)))
    }

    fn missing(&self, path: &Path) -> DataError {
        if self.is_own {
            return DataError::MissingOwnFile { dataset: self.dataset.clone(), path: path.to_owned() };
        }
        DataError::MissingFile {
            dataset: self.dataset.clone(),
            path: path.to_owned(),
            origin: self.origin.to_owned(),
            home_page: self.home_page.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_folder_names_the_path_its_origin_and_the_home_page() {
        let descriptor = Descriptor::find("movielens-1m", None).unwrap();
        let mut config = DatasetConfig::new("movielens-1m");
        let message = Folder::find(&config, &descriptor, None).unwrap_err().to_string();
        for part in ["--data-dir", "CTRBENCH_DATA", "https://grouplens.org/datasets/movielens/1m/"] {
            assert!(message.contains(part), "{message}");
        }
        let message = Folder::find(&config, &descriptor, Some("/nowhere".into())).unwrap_err().to_string();
        assert!(message.contains("/nowhere/movielens-1m does not exist (data folder taken from CTRBENCH_DATA"));
        config.data_dir = Some("/elsewhere".into());
        let message = Folder::find(&config, &descriptor, Some("/nowhere".into())).unwrap_err().to_string();
        assert!(message.contains("/elsewhere/movielens-1m does not exist (data folder taken from data_dir"));
    }
}

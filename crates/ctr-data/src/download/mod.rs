//! Official files to the data folder.

mod body;
mod fetch;
mod unpack;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::invalid;
use crate::descriptor::{Descriptor, Download};
use crate::folder::{Folder, data_variable};
use crate::{DataError, DatasetConfig};

/// So long a server may send nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// Holds the licence as it was accepted.
const ACCEPTED: &str = ".licence-accepted";

/// Fetches the official files of a dataset into its folder, which is returned: only from the addresses of the descriptor,
/// continued where an earlier attempt ended, checked against size and MD5 where they are published. A file is never under its
/// final name before it is whole.
///
/// `accept_licence` is needed once per folder. `progress` receives one line per step.
///
/// # Errors
/// [`DataError::NoDownload`], [`DataError::LicenceNotAccepted`], [`DataError::Download`], [`DataError::Archive`].
pub fn download(config: &DatasetConfig, accept_licence: bool, progress: &dyn Fn(&str)) -> Result<PathBuf, DataError> {
    let descriptor = Descriptor::find(&config.name, config.category.as_deref())?;
    download_with(config, &descriptor, data_variable(), accept_licence, PATIENCE, progress)
}

fn download_with(
    config: &DatasetConfig,
    descriptor: &Descriptor,
    variable: Option<PathBuf>,
    accept_licence: bool,
    patience: Duration,
    progress: &dyn Fn(&str),
) -> Result<PathBuf, DataError> {
    if descriptor.source.is_none() && descriptor.download.is_empty() {
        return Err(invalid("name", &descriptor.name, "it is drawn when it is loaded; there is nothing to download"));
    }
    if descriptor.download.is_empty() && descriptor.own_folder.is_some() {
        return Err(invalid("name", &config.name, "the descriptor has no [[download]]: put the files beside it"));
    }
    if descriptor.download.is_empty() {
        let files = descriptor.source.iter().flat_map(|source| source.files()).map(|file| file.path);
        return Err(DataError::NoDownload {
            dataset: descriptor.name.clone(),
            home_page: descriptor.home_page.clone(),
            files: files.collect::<Vec<_>>().join(", "),
        });
    }
    let folder = Folder::place(config, descriptor, variable)?;
    fs::create_dir_all(&folder).map_err(DataError::io("create", &folder))?;
    accept(descriptor, &folder, accept_licence, progress)?;
    for file in &descriptor.download {
        fetch_one(file, &folder, patience, progress)?;
    }
    Ok(folder)
}

/// Shows the licence, and takes its acceptance once per folder.
fn accept(descriptor: &Descriptor, folder: &Path, accepts: bool, progress: &dyn Fn(&str)) -> Result<(), DataError> {
    let path = folder.join(ACCEPTED);
    if fs::read_to_string(&path).is_ok_and(|accepted| accepted == descriptor.licence) {
        return Ok(());
    }
    if !accepts {
        return Err(DataError::LicenceNotAccepted {
            dataset: descriptor.name.clone(),
            licence: descriptor.licence.clone(),
            home_page: descriptor.home_page.clone(),
        });
    }
    progress(&format!("{}: accepted: {} ({})", descriptor.name, descriptor.licence, descriptor.home_page));
    fs::write(&path, &descriptor.licence).map_err(DataError::io("write", &path))
}

fn fetch_one(file: &Download, folder: &Path, patience: Duration, progress: &dyn Fn(&str)) -> Result<(), DataError> {
    let name = file.url.rsplit('/').next().unwrap_or_default();
    let path = folder.join(name);
    let wanted: Vec<PathBuf> = match &file.unpack[..] {
        [] => vec![path.clone()],
        unpacked => unpacked.iter().map(|name| folder.join(name)).collect(),
    };
    if wanted.iter().all(|path| path.is_file()) {
        progress(&format!("{name}: already there"));
        return Ok(());
    }
    fetch::fetch(file, &path, patience, progress)?;
    if !file.unpack.is_empty() {
        progress(&format!("{name}: unpacking {}", file.unpack.join(", ")));
        unpack::unpack(&path, &file.unpack, folder)?;
        fs::remove_file(&path).map_err(DataError::io("remove", &path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;

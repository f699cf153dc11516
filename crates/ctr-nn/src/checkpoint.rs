//! Tensors on disk, as safetensors.

use candle_core::{Device, Tensor};
use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
};
use thiserror::Error;

/// Why a checkpoint could not be written or read.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// The file system refused.
    #[error("{path}: {cause}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        cause: std::io::Error,
    },
    /// The file is no checkpoint, or a damaged one.
    #[error("{path} is not a readable checkpoint: {cause}; delete it and train again", path = path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        cause: candle_core::Error,
    },
}

/// Writes tensors under a temporary name and renames it, so that a killed process leaves no half-written file.
///
/// # Errors
/// If the file cannot be written.
pub fn save_tensors(tensors: &BTreeMap<String, Tensor>, path: &Path) -> Result<(), CheckpointError> {
    let temporary = path.with_extension("safetensors.tmp");
    let by_name: HashMap<&str, Tensor> = tensors.iter().map(|(name, t)| (name.as_str(), t.clone())).collect();
    candle_core::safetensors::save(&by_name, &temporary)
        .map_err(|cause| CheckpointError::Format { path: temporary.clone(), cause })?;
    fs::rename(&temporary, path).map_err(|cause| CheckpointError::Io { path: path.to_owned(), cause })
}

/// Reads tensors onto the CPU.
///
/// # Errors
/// If the file is missing or damaged.
pub fn load_tensors(path: &Path) -> Result<BTreeMap<String, Tensor>, CheckpointError> {
    fs::metadata(path).map_err(|cause| CheckpointError::Io { path: path.to_owned(), cause })?;
    candle_core::safetensors::load(path, &Device::Cpu)
        .map(|tensors| tensors.into_iter().collect())
        .map_err(|cause| CheckpointError::Format { path: path.to_owned(), cause })
}

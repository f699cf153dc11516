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
    /// The file is missing or may not be read.
    #[error("{path} cannot be read: {cause}; check the path", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        cause: std::io::Error,
    },
    /// The file could not be written.
    #[error(
        "{path} cannot be written: {cause}; check that the folder is writable and the disk not full; an earlier checkpoint, if there is one, is still there for --resume", path = path.display()
    )]
    Write {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        cause: candle_core::Error,
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
        .map_err(|cause| CheckpointError::Write { path: temporary.clone(), cause })?;
    fs::rename(&temporary, path)
        .map_err(|cause| CheckpointError::Write { path: path.to_owned(), cause: candle_core::Error::wrap(cause) })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_that_cannot_be_written_says_so() {
        let tensors = BTreeMap::from([("a".to_owned(), Tensor::new(1f32, &Device::Cpu).expect("a tensor"))]);
        let message = save_tensors(&tensors, Path::new("no-such-folder/a.safetensors")).unwrap_err().to_string();
        assert!(message.contains("a.safetensors.tmp cannot be written"), "{message}");
        assert!(message.contains("check that the folder is writable"), "{message}");
    }
}

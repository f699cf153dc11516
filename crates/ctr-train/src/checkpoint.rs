//! The state of training after an epoch, in one safetensors file, so that a stopped run continues bit for bit.

use crate::{TrainError, schedule::Schedule, train::EpochReport};
use candle_core::{DType, Device, Tensor};
use ctr_nn::{CheckpointError, load_tensors, save_tensors};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::Path};

/// Everything but tensors.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// Identifies dataset, split, model, settings and seed; a checkpoint of another run is refused.
    pub fingerprint: String,
    pub schedule: Schedule,
    pub epochs: Vec<EpochReport>,
    pub steps: u64,
    pub finished: bool,
}

/// Tensors by role and parameter name.
pub(crate) struct State {
    pub progress: Progress,
    pub parameters: BTreeMap<String, Tensor>,
    pub best: BTreeMap<String, Tensor>,
    pub optimizer: BTreeMap<String, Tensor>,
}

const PROGRESS: &str = "progress";
/// Of everything else in the file, since safetensors notices no changed value.
const CHECKSUM: &str = "checksum";

impl State {
    pub fn save(&self, path: &Path) -> Result<(), TrainError> {
        // TOML, since serde_json without its float_roundtrip feature may read a float back one digit off.
        let text = toml::to_string(&self.progress).map_err(candle_core::Error::wrap)?.into_bytes();
        let mut tensors = BTreeMap::new();
        for (role, part) in [("parameter", &self.parameters), ("best", &self.best), ("optimizer", &self.optimizer)] {
            tensors.extend(part.iter().map(|(name, tensor)| (format!("{role}/{name}"), tensor.clone())));
        }
        let length = text.len();
        tensors.insert(PROGRESS.into(), Tensor::from_vec(text, length, &Device::Cpu)?);
        tensors.insert(CHECKSUM.into(), Tensor::from_slice(&checksum(&tensors)?, blake3::OUT_LEN, &Device::Cpu)?);
        Ok(save_tensors(&tensors, path)?)
    }

    pub fn load(path: &Path, fingerprint: &str) -> Result<Self, TrainError> {
        let foreign = |what: String| TrainError::ForeignCheckpoint { path: path.to_owned(), what };
        let mut tensors = load_tensors(path)?;
        let expected = tensors.remove(CHECKSUM).ok_or_else(|| foreign("it holds no checksum".into()))?;
        if expected.to_dtype(DType::U8)?.to_vec1::<u8>()? != checksum(&tensors)? {
            let cause = candle_core::Error::msg("its values are not those of its checksum");
            return Err(CheckpointError::Format { path: path.to_owned(), cause }.into());
        }
        let text = tensors.remove(PROGRESS).ok_or_else(|| foreign("it holds no progress record".into()))?;
        let text = text.to_dtype(DType::U8)?.to_vec1::<u8>()?;
        let progress: Progress =
            toml::from_str(&String::from_utf8_lossy(&text)).map_err(|error| foreign(error.to_string()))?;
        if progress.fingerprint != fingerprint {
            return Err(foreign("dataset, split, model, training settings, precision or seed differ".into()));
        }
        let mut state =
            State { progress, parameters: BTreeMap::new(), best: BTreeMap::new(), optimizer: BTreeMap::new() };
        for (key, tensor) in tensors {
            match key.split_once('/') {
                Some(("parameter", name)) => state.parameters.insert(name.into(), tensor),
                Some(("best", name)) => state.best.insert(name.into(), tensor),
                Some(("optimizer", name)) => state.optimizer.insert(name.into(), tensor),
                _ => return Err(foreign(format!("it holds `{key}`, which is no part of a checkpoint"))),
            };
        }
        Ok(state)
    }
}

/// Of names and values, by name.
fn checksum(tensors: &BTreeMap<String, Tensor>) -> candle_core::Result<[u8; blake3::OUT_LEN]> {
    let mut hasher = blake3::Hasher::new();
    for (name, tensor) in tensors {
        let values = tensor.flatten_all()?.to_device(&Device::Cpu)?;
        let bytes: Vec<u8> = match values.dtype() {
            DType::U8 => values.to_vec1::<u8>()?,
            _ => values.to_vec1::<f32>()?.into_iter().flat_map(f32::to_le_bytes).collect(),
        };
        hasher.update(name.as_bytes()).update(&bytes);
    }
    Ok(*hasher.finalize().as_bytes())
}

//! Where both halves of a training job start from.

use anyhow::Result;
use candle_core::Device;
use ctr_nn::{CtrModel, Parameters, save_tensors};
use std::path::Path;

/// Writes a model's initial weights and the order of the samples for the other half: `initial.safetensors` and `order.u32`
/// (little-endian) in `export`.
pub fn write(structure: &dyn CtrModel, seed: u64, order: impl IntoIterator<Item = u32>, export: &Path) -> Result<()> {
    let initial = Parameters::initialize(structure.parameters(), seed, &Device::Cpu)?.snapshot()?;
    save_tensors(&initial, &export.join("initial.safetensors"))?;
    let bytes: Vec<u8> = order.into_iter().flat_map(u32::to_le_bytes).collect();
    Ok(std::fs::write(export.join("order.u32"), bytes)?)
}

//! Parameters written and read back.

use crate::small_case::{LastField, small_batch};
use candle_core::{Device, Result, Tensor};
use ctr_nn::{Context, CtrModel, Leaves, Parameters, load_tensors, save_tensors};
use std::collections::BTreeMap;

/// Every bit of every parameter survives a checkpoint, and so do the logits.
///
/// # Panics
/// If a bit changes or the file system refuses.
///
/// # Errors
/// If the model cannot run.
pub fn round_trips_bit_exactly(model: &dyn CtrModel) -> Result<()> {
    let original = Parameters::initialize(model.parameters(), 1, &Device::Cpu)?;
    let restored = Parameters::initialize(model.parameters(), 2, &Device::Cpu)?;
    let before = (bits(&original.snapshot()?)?, logits(model, &original)?);
    assert_ne!(bits(&restored.snapshot()?)?, before.0, "two seeds gave the same parameters");

    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("model.safetensors");
    save_tensors(&original.snapshot()?, &path).expect("a writable folder");
    restored.restore(&load_tensors(&path).expect("the file just written"))?;
    assert_eq!((bits(&restored.snapshot()?)?, logits(model, &restored)?), before);
    Ok(())
}

fn logits(model: &dyn CtrModel, parameters: &Parameters) -> Result<Vec<u32>> {
    let mut leaves = Leaves::default();
    for spec in parameters.specs() {
        leaves.insert(&spec.name, parameters.get(&spec.name)?.as_tensor().clone());
    }
    tensor_bits(&model.forward(&leaves, &small_batch(1, LastField::Single)?, &mut Context::inference())?)
}

fn bits(tensors: &BTreeMap<String, Tensor>) -> Result<BTreeMap<String, Vec<u32>>> {
    tensors.iter().map(|(name, t)| Ok((name.clone(), tensor_bits(t)?))).collect()
}

fn tensor_bits(tensor: &Tensor) -> Result<Vec<u32>> {
    Ok(tensor.flatten_all()?.to_vec1::<f32>()?.into_iter().map(f32::to_bits).collect())
}

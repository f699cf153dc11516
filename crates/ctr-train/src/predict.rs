//! Scoring with the cloud model.

use crate::{TrainError, batches::build_batch};
use candle_core::Device;
use ctr_data::Dataset;
use ctr_nn::{Context, CtrModel, Leaves, Parameters, is_out_of_memory};
use rayon::prelude::*;

/// Samples scored by one forward pass.
const CHUNK: usize = 2048;
/// The same on a GPU.
const CHUNK_ON_GPU: usize = 16_384;

/// The cloud model's logits of these samples, in their order. On the CPU chunks run in parallel on the caller's rayon pool.
///
/// # Errors
/// If a tensor operation fails, for want of the device's memory for instance.
pub fn predict(
    model: &dyn CtrModel,
    parameters: &Parameters,
    dataset: &Dataset,
    samples: &[u32],
    device: &Device,
) -> Result<Vec<f32>, TrainError> {
    let mut leaves = Leaves::default();
    for spec in parameters.specs() {
        leaves.insert(&spec.name, parameters.get(&spec.name)?.as_detached_tensor());
    }
    let score = |chunk: &[u32]| {
        let batch = build_batch(dataset, chunk, model.uses_history(), device)?;
        model.forward(&leaves, &batch, &mut Context::inference())?.flatten_all()?.to_vec1::<f32>()
    };
    if device.is_cpu() {
        let chunks: candle_core::Result<Vec<Vec<f32>>> = samples.par_chunks(CHUNK).map(score).collect();
        return Ok(chunks?.concat());
    }
    let chunks: candle_core::Result<Vec<Vec<f32>>> = samples.chunks(CHUNK_ON_GPU).map(score).collect();
    match chunks {
        Err(source) if is_out_of_memory(&source) => {
            Err(TrainError::ScoringOutOfMemory { samples: CHUNK_ON_GPU.min(samples.len()), source })
        }
        chunks => Ok(chunks?.concat()),
    }
}

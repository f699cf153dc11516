//! From samples to the tensors of a forward pass.

use candle_core::{Device, Result, Tensor};
use ctr_data::Dataset;
use ctr_nn::{Batch, PADDING_ROW};

/// One replica's batch of these samples: ids and, if the model uses them, histories.
///
/// # Errors
/// If the device is out of memory.
pub(crate) fn build_batch(dataset: &Dataset, samples: &[u32], uses_history: bool, device: &Device) -> Result<Batch> {
    let (fields, history_length) = (dataset.fields.len(), dataset.history_length);
    let mut ids = Vec::with_capacity(samples.len() * fields);
    samples.iter().for_each(|&sample| ids.extend_from_slice(dataset.sample_ids(sample as usize)));
    let ids = Tensor::from_vec(ids, (1, samples.len(), fields), device)?;
    if !uses_history {
        return Ok(Batch { ids, history: None, history_mask: None });
    }
    let mut history = Vec::with_capacity(samples.len() * history_length);
    for (i, &sample) in samples.iter().enumerate() {
        history.extend_from_slice(dataset.history(sample as usize));
        history.resize((i + 1) * history_length, PADDING_ROW);
    }
    let shape = (1, samples.len(), history_length);
    let mask: Vec<f32> = history.iter().map(|&row| if row == PADDING_ROW { 0.0 } else { 1.0 }).collect();
    Ok(Batch {
        ids,
        history: Some(Tensor::from_vec(history, shape, device)?),
        history_mask: Some(Tensor::from_vec(mask, shape, device)?),
    })
}

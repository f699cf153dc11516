//! From samples to the tensors of a forward pass.

use candle_core::{Device, Result, Tensor};
use ctr_data::Dataset;
use ctr_nn::{Batch, PADDING_ROW};

/// Ids and histories of `replicas * batch` samples on the host, filled sample by sample.
#[derive(Debug)]
struct BatchRows {
    ids: Vec<u32>,
    history: Option<Vec<u32>>,
    fields: usize,
    history_length: usize,
}

impl BatchRows {
    /// Room for `samples` samples; histories only if the model uses them.
    fn new(dataset: &Dataset, samples: usize, uses_history: bool) -> Self {
        let (fields, history_length) = (dataset.fields.len(), dataset.history_length);
        Self {
            ids: Vec::with_capacity(samples * fields),
            history: uses_history.then(|| Vec::with_capacity(samples * history_length)),
            fields,
            history_length,
        }
    }

    /// Adds a sample, with every global id replaced by `row_of(id)`.
    fn push(&mut self, dataset: &Dataset, sample: u32, mut row_of: impl FnMut(u32) -> u32) {
        self.ids.extend(dataset.sample_ids(sample as usize).iter().map(|&id| row_of(id)));
        if let Some(history) = &mut self.history {
            let end = history.len() + self.history_length;
            history.extend(dataset.history(sample as usize).iter().map(|&id| row_of(id)));
            history.resize(end, PADDING_ROW);
        }
    }

    /// The tensors, `[replicas, batch, …]`; `replicas * batch` samples must have been added.
    ///
    /// # Errors
    /// If the counts do not fit or the device is out of memory.
    fn into_batch(self, replicas: usize, batch: usize, device: &Device) -> Result<Batch> {
        let ids = Tensor::from_vec(self.ids, (replicas, batch, self.fields), device)?;
        let Some(history) = self.history else {
            return Ok(Batch { ids, history: None, history_mask: None });
        };
        let shape = (replicas, batch, self.history_length);
        let mask: Vec<f32> = history.iter().map(|&row| if row == PADDING_ROW { 0.0 } else { 1.0 }).collect();
        Ok(Batch {
            ids,
            history: Some(Tensor::from_vec(history, shape, device)?),
            history_mask: Some(Tensor::from_vec(mask, shape, device)?),
        })
    }
}

/// One replica's batch of these samples, with every global id replaced by `row_of(id)`.
///
/// # Errors
/// If the device is out of memory.
pub fn build_batch(
    dataset: &Dataset,
    samples: &[u32],
    uses_history: bool,
    device: &Device,
    mut row_of: impl FnMut(u32) -> u32,
) -> Result<Batch> {
    let mut rows = BatchRows::new(dataset, samples.len(), uses_history);
    for &sample in samples {
        rows.push(dataset, sample, &mut row_of);
    }
    rows.into_batch(1, samples.len(), device)
}

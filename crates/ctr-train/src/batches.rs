//! From samples to the tensors of a forward pass.

use candle_core::{Device, Result};
use ctr_data::Dataset;
use ctr_nn::{Batch, BatchLayout, FieldSlots, PADDING_ROW};

/// One replica's batch of these samples: ids and, if the model uses them, histories.
///
/// # Errors
/// If the device is out of memory.
pub(crate) fn build_batch(dataset: &Dataset, samples: &[u32], uses_history: bool, device: &Device) -> Result<Batch> {
    let slots = FieldSlots::new(&dataset.lookups_by_field());
    let history_length = if uses_history { dataset.history_length } else { 0 };
    let mut ids = Vec::with_capacity(samples.len() * slots.total());
    let mut history = Vec::with_capacity(samples.len() * history_length);
    for (i, &sample) in samples.iter().enumerate() {
        dataset.append_lookups(sample as usize, PADDING_ROW, &mut ids);
        if uses_history {
            history.extend_from_slice(dataset.history(sample as usize));
            history.resize((i + 1) * history_length, PADDING_ROW);
        }
    }
    Batch::new(ids, history, &BatchLayout { replicas: 1, slots, history_length }, device)
}

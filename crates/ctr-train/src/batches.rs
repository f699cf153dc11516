//! From samples to the tensors of a forward pass.
//!
//! The host puts a batch together sample by sample, which takes longer than a GPU needs to train on it. On a GPU the encoded
//! samples therefore lie on the device, where a batch is a choice of rows; where they do not fit, the host does it.

use candle_core::{Device, Result, Tensor};
use ctr_data::Dataset;
use ctr_nn::{Batch, BatchLayout, FieldMeans, FieldSlots, PADDING_ROW, free_device_bytes, is_out_of_memory};
use std::ops::Range;

/// Share of a device's free memory that samples may take.
const SHARE_OF_FREE_MEMORY: u64 = 4;
/// What they may take where a device does not tell what is free, bytes.
const RESIDENT_BYTES_IF_UNKNOWN: u64 = 1 << 30;

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

/// Labels `[1, B]` of these samples.
fn build_labels(dataset: &Dataset, samples: &[u32], device: &Device) -> Result<Tensor> {
    let labels: Vec<f32> = samples.iter().map(|&i| f32::from(dataset.samples.label[i as usize])).collect();
    Tensor::from_vec(labels, (1, samples.len()), device)
}

/// Where batches and their labels come from.
pub(crate) struct BatchSource<'a> {
    dataset: &'a Dataset,
    uses_history: bool,
    device: &'a Device,
    /// All samples, as one batch.
    resident: Option<(Batch, Tensor)>,
}

/// One pass over the samples in a certain order.
pub(crate) struct EpochBatches<'a> {
    source: &'a BatchSource<'a>,
    order: Vec<u32>,
    order_on_device: Option<Tensor>,
}

impl<'a> BatchSource<'a> {
    /// Puts the samples on the device, if it is a GPU that can hold them.
    ///
    /// # Errors
    /// If the device fails.
    pub fn new(dataset: &'a Dataset, uses_history: bool, device: &'a Device) -> Result<Self> {
        let mut source = Self { dataset, uses_history, device, resident: None };
        if !device.is_cpu() && source.bytes() <= source.affordable_bytes()? {
            let samples: Vec<u32> = (0..dataset.len() as u32).collect();
            let all = build_batch(dataset, &samples, uses_history, device)
                .and_then(|batch| Ok((batch, build_labels(dataset, &samples, device)?)));
            source.resident = match all {
                Err(error) if is_out_of_memory(&error) => None,
                all => Some(all?),
            };
        }
        Ok(source)
    }

    /// What all samples take on a device: ids, weights of lists, histories with their masks, labels.
    fn bytes(&self) -> u64 {
        let lookups: usize = self.dataset.lookups_by_field().iter().sum();
        let weights = if lookups > self.dataset.fields.len() { lookups } else { 0 };
        let history = if self.uses_history { 2 * self.dataset.history_length } else { 0 };
        (self.dataset.len() * (lookups + weights + history + 1) * size_of::<f32>()) as u64
    }

    fn affordable_bytes(&self) -> Result<u64> {
        Ok(free_device_bytes(self.device)?.map_or(RESIDENT_BYTES_IF_UNKNOWN, |free| free / SHARE_OF_FREE_MEMORY))
    }

    /// Batches of the samples in this order.
    ///
    /// # Errors
    /// If the device is out of memory.
    pub fn epoch(&'a self, order: Vec<u32>) -> Result<EpochBatches<'a>> {
        let on_device = |_| Tensor::new(&order[..], self.device);
        let order_on_device = self.resident.as_ref().map(on_device).transpose()?;
        Ok(EpochBatches { source: self, order, order_on_device })
    }
}

impl EpochBatches<'_> {
    /// Number of samples.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// The samples at these places of the order, and their labels `[1, B]`.
    ///
    /// # Errors
    /// If the device is out of memory.
    pub fn batch(&self, places: Range<usize>) -> Result<(Batch, Tensor)> {
        let BatchSource { dataset, uses_history, device, resident } = self.source;
        let (Some((all, labels)), Some(order)) = (resident, &self.order_on_device) else {
            let samples = &self.order[places];
            return Ok((
                build_batch(dataset, samples, *uses_history, device)?,
                build_labels(dataset, samples, device)?,
            ));
        };
        let chosen = order.narrow(0, places.start, places.len())?;
        let rows = |all: &Tensor| all.index_select(&chosen, 1);
        let means = |all: &FieldMeans| -> Result<FieldMeans> {
            Ok(FieldMeans { slots: all.slots.clone(), weights: rows(&all.weights)? })
        };
        let batch = Batch {
            ids: rows(&all.ids)?,
            means: all.means.as_ref().map(means).transpose()?,
            history: all.history.as_ref().map(rows).transpose()?,
            history_mask: all.history_mask.as_ref().map(rows).transpose()?,
        };
        Ok((batch, rows(labels)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ctr_data::{DatasetConfig, SyntheticConfig};

    /// Batches that are chosen from all samples are those that are put together sample by sample.
    #[test]
    fn chosen_batches_are_built_batches() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let mut config = DatasetConfig::new("synthetic");
        config.cache_dir = folder.path().to_owned();
        config.synthetic = SyntheticConfig { users: 20, ..SyntheticConfig::default() };
        let dataset = ctr_data::load(&config, &|_| {}).map_err(candle_core::Error::wrap)?;
        let device = Device::Cpu;
        let host = BatchSource::new(&dataset, true, &device)?;
        let samples: Vec<u32> = (0..dataset.len() as u32).collect();
        let all = (build_batch(&dataset, &samples, true, &device)?, build_labels(&dataset, &samples, &device)?);
        let resident = BatchSource { resident: Some(all), dataset: &dataset, uses_history: true, device: &device };
        let order = vec![7, 0, 3, 11, 5];
        let [built, chosen] =
            [&host, &resident].map(|source| source.epoch(order.clone()).and_then(|epoch| epoch.batch(1..4)));
        let ((built, built_labels), (chosen, chosen_labels)) = (built?, chosen?);
        assert_eq!(built.ids.to_vec3::<u32>()?, chosen.ids.to_vec3::<u32>()?);
        assert_eq!(built_labels.to_vec2::<f32>()?, chosen_labels.to_vec2::<f32>()?);
        let histories = |batch: Batch| -> Result<_> {
            let (history, mask) = (batch.history.expect("a history"), batch.history_mask.expect("a mask"));
            Ok((history.to_vec3::<u32>()?, mask.to_vec3::<f32>()?))
        };
        assert_eq!(histories(built)?, histories(chosen)?);
        Ok(())
    }
}

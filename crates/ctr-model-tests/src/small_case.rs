//! A small case that Rust and Python (`golden_case.py`) both compute from formulas.

use candle_core::{Device, Result, Tensor};
use ctr_nn::{Batch, ModelInput, PADDING_ROW, ParameterSpec};

const SAMPLES: u32 = 5;
const FIELDS: u32 = 3;
const ROWS_PER_FIELD: u32 = 4;
const ITEM_FIELD: u32 = 1;
/// Length of each sample's history, one full and one empty.
const HISTORY_LENGTHS: [u32; SAMPLES as usize] = [4, 2, 0, 1, 3];
const HISTORY_LENGTH: u32 = 4;

/// The dataset of the small case.
pub fn small_input() -> ModelInput {
    ModelInput {
        fields: FIELDS as usize,
        item_field: ITEM_FIELD as usize,
        table_rows: (FIELDS * ROWS_PER_FIELD) as usize,
        history_length: HISTORY_LENGTH as usize,
    }
}

/// The small case's samples for this many replicas, each with its own share of the table rows. Ids repeat, histories
/// are padded.
///
/// # Errors
/// If memory runs out.
pub fn small_batch(replicas: u32) -> Result<Batch> {
    let (mut ids, mut history) = (Vec::new(), Vec::new());
    for replica in 0..replicas {
        let first_row = replica * FIELDS * ROWS_PER_FIELD;
        for (sample, length) in (0..SAMPLES).zip(HISTORY_LENGTHS) {
            ids.extend(
                (0..FIELDS)
                    .map(|field| first_row + field * ROWS_PER_FIELD + (sample * (field + 2) + field) % ROWS_PER_FIELD),
            );
            history.extend((0..HISTORY_LENGTH).map(|place| {
                if place < length {
                    first_row + ITEM_FIELD * ROWS_PER_FIELD + (sample + 2 * place) % ROWS_PER_FIELD
                } else {
                    PADDING_ROW
                }
            }));
        }
    }
    let mask: Vec<f32> = history.iter().map(|id| if *id == PADDING_ROW { 0.0 } else { 1.0 }).collect();
    let samples = SAMPLES as usize;
    let history_shape = (replicas as usize, samples, HISTORY_LENGTH as usize);
    Ok(Batch {
        ids: Tensor::from_vec(ids, (replicas as usize, samples, FIELDS as usize), &Device::Cpu)?,
        history: Some(Tensor::from_vec(history, history_shape, &Device::Cpu)?),
        history_mask: Some(Tensor::from_vec(mask, history_shape, &Device::Cpu)?),
    })
}

/// Labels and weights (one over the number of samples) of the small case, both `[replicas, samples]`.
pub(crate) fn small_targets(replicas: usize) -> Result<(Tensor, Tensor)> {
    let shape = (replicas, SAMPLES as usize);
    let labels = (0..replicas).flat_map(|_| (0..SAMPLES).map(|sample| if sample % 3 == 0 { 1.0 } else { 0.0 }));
    let labels = Tensor::from_vec(labels.collect::<Vec<f32>>(), shape, &Device::Cpu)?;
    Ok((labels, Tensor::full(1.0 / SAMPLES as f32, shape, &Device::Cpu)?))
}

/// Values of a parameter by formula: `0.75 sin(1.3 i + phase)`, with a phase from the name and the replica; running
/// variances are 1 more, so that they are positive.
pub(crate) fn formula_values(spec: &ParameterSpec, replica: usize) -> Vec<f32> {
    let phase = spec.name.bytes().map(u32::from).sum::<u32>() as f64 / 10.0 + replica as f64;
    let shift = if spec.name.ends_with("running_var") { 1.0 } else { 0.0 };
    (0..spec.len()).map(|i| (0.75 * (1.3 * i as f64 + phase).sin() + shift) as f32).collect()
}

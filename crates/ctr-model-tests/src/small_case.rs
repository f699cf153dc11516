//! A small case that Rust and Python (`golden_case.py`) both compute from formulas.

use candle_core::{Device, Result, Tensor};
use ctr_nn::{Batch, BatchLayout, FieldSlots, ModelInput, PADDING_ROW, ParameterSpec};

const SAMPLES: u32 = 5;
const FIELDS: u32 = 3;
const ROWS_PER_FIELD: u32 = 4;
const ITEM_FIELD: u32 = 1;
/// Length of each sample's history, one full and one empty.
const HISTORY_LENGTHS: [u32; SAMPLES as usize] = [4, 2, 0, 1, 3];
const HISTORY_LENGTH: u32 = 4;
/// Values of each sample's last field where it has lists.
const LIST_LENGTHS: [u32; SAMPLES as usize] = [1, 3, 2, 0, 1];
const LONGEST_LIST: u32 = 3;

/// The dataset of the small case.
pub fn small_input() -> ModelInput {
    ModelInput {
        fields: FIELDS as usize,
        item_field: ITEM_FIELD as usize,
        table_rows: (FIELDS * ROWS_PER_FIELD) as usize,
        history_length: HISTORY_LENGTH as usize,
    }
}

/// Whether the last field has one value or several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LastField {
    Single,
    List,
}

/// The small case's samples for this many replicas, each with its own share of the table rows. Ids repeat, histories
/// are padded.
///
/// # Errors
/// If memory runs out.
pub(crate) fn small_batch(replicas: u32, last: LastField) -> Result<Batch> {
    let (mut ids, mut history) = (Vec::new(), Vec::new());
    for replica in 0..replicas {
        let first_row = replica * FIELDS * ROWS_PER_FIELD;
        for ((sample, length), list_length) in (0..SAMPLES).zip(HISTORY_LENGTHS).zip(LIST_LENGTHS) {
            let row = |field: u32, k: u32| {
                first_row + field * ROWS_PER_FIELD + (sample * (field + 2) + field + k) % ROWS_PER_FIELD
            };
            ids.extend((0..FIELDS - 1).map(|field| row(field, 0)));
            match last {
                LastField::Single => ids.push(row(FIELDS - 1, 0)),
                LastField::List => ids
                    .extend((0..LONGEST_LIST).map(|k| if k < list_length { row(FIELDS - 1, k) } else { PADDING_ROW })),
            }
            history.extend((0..HISTORY_LENGTH).map(|place| {
                if place < length {
                    first_row + ITEM_FIELD * ROWS_PER_FIELD + (sample + 2 * place) % ROWS_PER_FIELD
                } else {
                    PADDING_ROW
                }
            }));
        }
    }
    let mut slots = [1; FIELDS as usize];
    if last == LastField::List {
        slots[FIELDS as usize - 1] = LONGEST_LIST as usize;
    }
    let slots = FieldSlots::new(&slots);
    let layout = BatchLayout { replicas: replicas as usize, slots, history_length: HISTORY_LENGTH as usize };
    Batch::new(ids, history, &layout, &Device::Cpu)
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

//! One batch of samples for every replica.

use crate::{FieldSlots, PADDING_ROW};
use candle_core::{Device, Result, Tensor};

/// Inputs of a forward pass, `R` replicas of `B` samples each.
///
/// Ids point into the table leaves of the same pass: replica `r` uses the ids `r * N .. (r + 1) * N`, where `N` is the
/// rows that each replica holds. [`crate::PADDING_ROW`] stands for no value: it reads a zero embedding.
#[derive(Debug, Clone)]
pub struct Batch {
    /// `[R, B, look-ups]`, `u32`: one look-up per field, or those of [`FieldSlots`].
    pub ids: Tensor,
    /// How look-ups become fields; only where a field may have several values.
    pub means: Option<FieldMeans>,
    /// `[R, B, history_length]`, `u32`, oldest first and padded behind; only for models that use it.
    pub history: Option<Tensor>,
    /// `[R, B, history_length]`, `f32`: 1 where the history holds an item, 0 on padding.
    pub history_mask: Option<Tensor>,
}

/// What a field with several values is: the mean of those that a sample has.
#[derive(Debug, Clone)]
pub struct FieldMeans {
    /// Look-ups of each field.
    pub slots: FieldSlots,
    /// `[R, B, look-ups]`, `f32`: one over the number of values of the look-up's field, 0 on padding.
    pub weights: Tensor,
}

/// Sizes of a batch beside its number of samples.
#[derive(Debug, Clone)]
pub struct BatchLayout {
    /// Copies of the model, `R`.
    pub replicas: usize,
    /// Look-ups of each field.
    pub slots: FieldSlots,
    /// Items of history per sample; 0 for models that read none.
    pub history_length: usize,
}

impl Batch {
    /// A batch of `ids` (`[R, B, look-ups]`, row by row) and `history` (`[R, B, history_length]`), both padded with
    /// [`PADDING_ROW`].
    ///
    /// # Errors
    /// If they are no whole number of samples, or the device is out of memory.
    pub fn new(ids: Vec<u32>, history: Vec<u32>, layout: &BatchLayout, device: &Device) -> Result<Self> {
        let BatchLayout { replicas, slots, history_length } = layout;
        let samples = ids.len() / (replicas * slots.total()).max(1);
        let shape = (*replicas, samples, slots.total());
        let means = if slots.are_single() {
            None
        } else {
            let weights = Tensor::from_vec(slots.weights(&ids), shape, device)?;
            Some(FieldMeans { slots: slots.clone(), weights })
        };
        let ids = Tensor::from_vec(ids, shape, device)?;
        if *history_length == 0 {
            return Ok(Self { ids, means, history: None, history_mask: None });
        }
        let shape = (*replicas, samples, *history_length);
        let mask: Vec<f32> = history.iter().map(|&row| if row == PADDING_ROW { 0.0 } else { 1.0 }).collect();
        Ok(Self {
            ids,
            means,
            history: Some(Tensor::from_vec(history, shape, device)?),
            history_mask: Some(Tensor::from_vec(mask, shape, device)?),
        })
    }
}

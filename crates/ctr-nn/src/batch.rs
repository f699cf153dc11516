//! One batch of samples for every replica.

use candle_core::Tensor;

/// Inputs of a forward pass, `R` replicas of `B` samples each.
///
/// Ids point into the table leaves of the same pass: replica `r` uses the ids `r * N .. (r + 1) * N`, where `N` is the
/// rows that each replica holds. [`crate::PADDING_ROW`] stands for no value: it reads a zero embedding.
#[derive(Debug, Clone)]
pub struct Batch {
    /// `[R, B, fields]`, `u32`.
    pub ids: Tensor,
    /// `[R, B, history_length]`, `u32`, oldest first and padded behind; only for models that use it.
    pub history: Option<Tensor>,
    /// `[R, B, history_length]`, `f32`: 1 where the history holds an item, 0 on padding.
    pub history_mask: Option<Tensor>,
}

//! The trait that every CTR model implements.

use crate::{Batch, Context, Leaves, ParameterSpec};
use candle_core::{Result, Tensor};
use serde::{Serialize, de::DeserializeOwned};

/// What a model must know of the dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelInput {
    /// Categorical fields per sample.
    pub fields: usize,
    /// Position of the item among the fields.
    pub item_field: usize,
    /// Ids over all fields: rows of every table.
    pub table_rows: usize,
    /// Items of history per sample.
    pub history_length: usize,
}

/// A click-through-rate model: pure structure, without values.
pub trait CtrModel: Send + Sync {
    /// Every parameter, in any order.
    fn parameters(&self) -> Vec<ParameterSpec>;

    /// Logits `[R, B]` of a batch under the given parameter values.
    ///
    /// # Errors
    /// If a parameter is missing or a shape does not fit.
    fn forward(&self, leaves: &Leaves, batch: &Batch, context: &mut Context) -> Result<Tensor>;

    /// Values that the forward pass of one sample keeps for the backward, about: from it the engine sizes chunks of users
    /// so that they stay in cache.
    fn values_per_sample(&self) -> usize;

    /// Whether the batch must carry histories.
    fn uses_history(&self) -> bool {
        false
    }
}

/// A model's settings, as read from a configuration file.
pub trait ModelConfig: Serialize + DeserializeOwned + Default {
    /// Name in configurations and tables.
    const NAME: &'static str;

    /// Builds the structure for a dataset.
    ///
    /// # Errors
    /// A message that names the key, its value and what would be admissible.
    fn build(&self, input: &ModelInput) -> std::result::Result<Box<dyn CtrModel>, String>;
}

//! Why fine-tuning stopped.

use ctr_nn::is_out_of_memory;
use thiserror::Error;

/// Why fine-tuning stopped.
#[derive(Debug, Error)]
pub enum PersonalizeError {
    /// A user's copy diverged.
    #[error(
        "fine-tuning user `{user}` with `{method}` gave a logit that is not finite; lower fine_tuning.optimizer.learning_rate (now {learning_rate})"
    )]
    Diverged {
        /// The user's key in the dataset.
        user: String,
        /// The method.
        method: String,
        /// Step size.
        learning_rate: f64,
    },
    /// The device's memory is too small, for a chunk that may not be halved or for a single user.
    #[error(
        "a chunk of users does not fit into the device's memory; set fine_tuning.chunk_users lower, leave out --deterministic (chunks are halved then), or end what else uses the device"
    )]
    OutOfMemory(#[source] candle_core::Error),
    /// A tensor operation failed.
    #[error("tensor operation failed")]
    Tensor(#[source] candle_core::Error),
}

impl From<candle_core::Error> for PersonalizeError {
    fn from(error: candle_core::Error) -> Self {
        if is_out_of_memory(&error) { PersonalizeError::OutOfMemory(error) } else { PersonalizeError::Tensor(error) }
    }
}

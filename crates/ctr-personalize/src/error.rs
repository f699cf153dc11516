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
        "the device's memory is too small for these users' copies; end what else uses it, leave out --deterministic (chunks are then halved), lower fine_tuning.chunk_users, take a smaller model or run with --device cpu"
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn want_of_memory_has_a_message_of_its_own() {
        let error = |text: &str| PersonalizeError::from(candle_core::Error::Msg(text.to_owned())).to_string();
        assert!(
            error("DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")").contains("lower fine_tuning.chunk_users")
        );
        assert_eq!(error("DriverError(CUDA_ERROR_ILLEGAL_ADDRESS)"), "tensor operation failed");
    }
}

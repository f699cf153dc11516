//! Why fine-tuning stopped.

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
    /// A tensor operation failed.
    #[error("tensor operation failed: {0}")]
    Tensor(#[from] candle_core::Error),
}

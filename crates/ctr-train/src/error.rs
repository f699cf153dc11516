//! Why cloud training stopped.

use ctr_nn::{CheckpointError, is_out_of_memory};
use std::path::PathBuf;
use thiserror::Error;

/// Why cloud training stopped.
#[derive(Debug, Error)]
pub enum TrainError {
    /// The loss is not a number any more.
    #[error(
        "the training loss became {loss} in epoch {epoch}, step {step}; lower training.optimizer.learning_rate (now {learning_rate}) or raise training.l2_embedding"
    )]
    Diverged {
        /// The loss.
        loss: f32,
        /// Counts from 1.
        epoch: usize,
        /// Counts from 1, over all epochs.
        step: u64,
        /// Step size at that point.
        learning_rate: f64,
    },
    /// There are fewer training samples than one batch holds.
    #[error("the training part has {samples} samples, fewer than one batch of {batch_size}; lower training.batch_size")]
    SmallerThanBatch {
        /// Training samples.
        samples: usize,
        /// Configured batch size.
        batch_size: usize,
    },
    /// The validation part does not define the monitored metric.
    #[error(
        "the validation part does not define `{monitor}` (one class only, or no user with both); watch another metric with training.monitor or enlarge dataset.validation_fraction"
    )]
    NoMonitor {
        /// The monitored metric.
        monitor: &'static str,
    },
    /// The scores of the validation part cannot be judged.
    #[error(transparent)]
    Metric(#[from] ctr_metrics::MetricError),
    /// The device's memory is too small.
    #[error(
        "the device's memory is too small; end what else uses it, lower training.batch_size, take a smaller model or run with --device cpu"
    )]
    OutOfMemory(#[source] candle_core::Error),
    /// The device's memory is too small for scoring, whose batches have a size of their own.
    #[error(
        "the device's memory is too small to score {samples} samples at a time; end what else uses it and go on with --resume, take a smaller model, or start again with --device cpu"
    )]
    ScoringOutOfMemory {
        /// Samples of one forward pass.
        samples: usize,
        /// What the device said.
        source: candle_core::Error,
    },
    /// A tensor operation failed.
    #[error("tensor operation failed")]
    Tensor(#[source] candle_core::Error),
    /// A checkpoint could not be written or read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A checkpoint was made by another run.
    #[error("{path} does not continue this run: {what}; start without --resume", path = path.display())]
    ForeignCheckpoint {
        /// The checkpoint.
        path: PathBuf,
        /// What does not fit.
        what: String,
    },
}

impl From<candle_core::Error> for TrainError {
    fn from(error: candle_core::Error) -> Self {
        if is_out_of_memory(&error) { TrainError::OutOfMemory(error) } else { TrainError::Tensor(error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn want_of_memory_has_a_message_of_its_own() {
        let error = |text: &str| TrainError::from(candle_core::Error::Msg(text.to_owned())).to_string();
        assert!(
            error("DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")").contains("lower training.batch_size")
        );
        assert_eq!(error("DriverError(CUDA_ERROR_ILLEGAL_ADDRESS)"), "tensor operation failed");
    }
}

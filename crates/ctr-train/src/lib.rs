//! Cloud training: one model on every user's training samples mixed together.

mod batches;
mod checkpoint;
mod clip;
mod config;
mod error;
mod gradients;
mod losses;
mod predict;
mod schedule;
mod train;

pub use config::{EmbeddingUpdate, Monitor, TrainingConfig};
pub use error::TrainError;
pub use predict::predict;
pub use train::{EpochEvent, EpochReport, TrainedModel, TrainingReport, epoch_order, train};

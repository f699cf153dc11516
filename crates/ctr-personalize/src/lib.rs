//! Per-user fine-tuning with label correction: which samples a user's device holds ([`protocol`](PlantedDrift)), what
//! a correction makes of their labels ([`Correction`]), and the engine that fine-tunes many users at once
//! ([`FineTuner`]).

mod chunk;
mod config;
mod corrections;
mod error;
mod fine_tune;
mod gpu_chunks;
mod local_set;
mod method;
mod natural;
mod pipeline;
mod planted_drift;
mod prepared;
mod replicas;
mod row_map;
mod targets;
mod task;
mod user_model;

pub use config::{FineTuningConfig, Scope};
pub use corrections::{CORRECTIONS, Corrected, Correction, CorrectionSettings};
pub use error::PersonalizeError;
pub use fine_tune::{FineTuned, FineTuner};
pub use local_set::LocalSet;
pub use method::{CLOUD, Method, MethodError, REFERENCE_METHODS};
pub use natural::natural;
pub use planted_drift::{PlantedDrift, planted_drift};
pub use task::{Exclusion, Tasks, UserTask};
pub use user_model::UserModel;

//! The program that made a run.

use serde::{Deserialize, Serialize};

/// Version and build of the program.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CodeRecord {
    /// Version of the package.
    pub version: String,
    /// Commit hash of the source that the program was built from, where known.
    pub commit: Option<String>,
    /// Whether the source differed from that commit when the program was built, where known.
    pub dirty: Option<bool>,
    /// Cargo features compiled in, such as `cuda`.
    pub cargo_features: Vec<String>,
    /// Cargo profile, such as `release`.
    pub profile: String,
}

//! Everything that a run measured, as written to `run.json`. `docs/run-record.md` describes each field.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{CellRecord, CodeRecord, CurvePoint, ModelRecord, ReportError, SystemRecord};

/// The version of the schema that this code writes and reads.
pub const SCHEMA_VERSION: u64 = 3;

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u64,
    /// Name of the run's folder, unique among the runs of `name`.
    pub run_id: String,
    /// Name of the experiment.
    pub name: String,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// Seconds from the start to this writing of the record.
    pub wall_seconds: f64,
    /// Whether the run came to its end; false in the record that a killed run leaves.
    pub finished: bool,
    /// The program.
    pub code: CodeRecord,
    /// The machine.
    pub system: SystemRecord,
    /// The configuration as resolved.
    pub config: serde_json::Value,
    /// The facts of the data set: hashes, counts, label rates.
    pub dataset: serde_json::Value,
    /// Part of the split on which everything was judged: `test` or `validation`.
    pub judged_part: String,
    /// Label rate of the whole training part.
    pub global_ctr: f64,
    /// One per cloud model and seed.
    pub models: Vec<ModelRecord>,
    /// One per model, seed, protocol and method.
    pub cells: Vec<CellRecord>,
    /// The planted-drift curve.
    pub curve: Vec<CurvePoint>,
    /// Seconds per phase of the run.
    pub phases_seconds: BTreeMap<String, f64>,
    /// Highest resident memory of the process, bytes, where the system tells.
    pub peak_memory_bytes: Option<u64>,
}

impl RunRecord {
    /// Reads a `run.json`.
    ///
    /// # Errors
    /// A file that cannot be read, is no record, or has another schema version.
    pub fn read(path: &Path) -> Result<Self, ReportError> {
        let text = fs::read_to_string(path).map_err(ReportError::io("read", path))?;
        let invalid =
            |error: serde_json::Error| ReportError::Record { path: path.to_owned(), message: error.to_string() };
        let Version { schema_version } = serde_json::from_str(&text).map_err(invalid)?;
        if schema_version != SCHEMA_VERSION {
            return Err(ReportError::SchemaVersion {
                path: path.to_owned(),
                found: schema_version,
                expected: SCHEMA_VERSION,
            });
        }
        serde_json::from_str(&text).map_err(invalid)
    }
}

/// The one field that every version of the schema has.
#[derive(Deserialize)]
struct Version {
    schema_version: u64,
}

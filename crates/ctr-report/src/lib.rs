//! What a run leaves behind: the record, per-user files, tables and plots.
//!
//! A run fills a [`RunRecord`] and [`UserRows`] as it goes and calls [`write_report`] on its [`RunFolder`] whenever data
//! have arrived. Every file is written under a temporary name and renamed, so a killed run keeps what it had.

mod atomic_file;
mod cell_record;
mod code_record;
mod curve_point;
mod error;
mod model_record;
mod nvidia;
mod peak_memory;
mod plot;
mod record;
mod run_folder;
mod system_record;
pub mod table;
mod timestamp;
mod users;
mod users_parquet;

pub use cell_record::{CLOUD, CellRecord};
pub use code_record::CodeRecord;
pub use curve_point::{CurvePoint, PLANTED_DRIFT};
pub use error::ReportError;
pub use model_record::ModelRecord;
pub use peak_memory::peak_memory_bytes;
pub use record::{RunRecord, SCHEMA_VERSION};
pub use run_folder::{RunFolder, check_run_name, write_report};
pub use system_record::SystemRecord;
pub use timestamp::rfc3339_utc;
pub use users::{UserBlock, UserRow, UserRows};
pub use users_parquet::{write_timings, write_users};

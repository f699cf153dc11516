//! `ctrbench hardware`.

use super::{print, print_json};
use crate::{cli::HardwareArgs, hardware, threads::pool};
use anyhow::{Result, bail};
use ctr_report::SystemRecord;
use serde_json::json;

/// Measures what the machine can do at best and prints it beside what the machine is.
pub fn hardware(args: &HardwareArgs) -> Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if args.threads > cores {
        bail!("--threads is {}; a peak is that of the cores, of which this machine has {cores}", args.threads);
    }
    let peaks = pool(args.threads)?.install(hardware::measure)?;
    let system = SystemRecord::collect();
    if args.output.json {
        return print_json(&json!({ "system": system, "peaks": peaks }));
    }
    print(&format!(
        "{}, {} cores, {:.1} GB of memory, {}\n{} threads: {:.1} GFLOP/s of f32 matrix products, {:.1} GB/s of copying (read and written)\n",
        system.cpu_model,
        system.logical_cores,
        system.memory_bytes as f64 / 1e9,
        system.os,
        peaks.threads,
        peaks.gemm_gflops,
        peaks.copy_gigabytes_per_second
    ))
}

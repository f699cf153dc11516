//! `ctrbench-peer`: our half of the comparison with PyTorch that `peers/compare.py` runs.
//!
//! Each job prepares its work, writes what the other half needs to do the same (encoded samples, initial weights, order
//! of the samples) to a folder, prints one JSON line with what the result must be, and then does the work once per line
//! on standard input, answering each with its seconds.

mod arguments;
mod fine_tuning;
mod inference;
mod loading;
mod metrics;
mod quality;
mod rounds;
mod sizes;
mod start;
mod training;
mod uniform;

use anyhow::{Context, Error, Result};
use arguments::{Arguments, Job};
use clap::Parser;
use ctr_nn::OpenedDevice;
// For its allocator, the one of the `ctrbench` binary.
use ctrbench_benches as _;

fn main() -> Result<()> {
    // SAFETY: no other thread exists yet; see `ctrbench`'s own main.
    unsafe { std::env::set_var("RAYON_NUM_THREADS", "1") };
    let Arguments { threads, export, device, matmul, job } = Arguments::parse();
    let OpenedDevice { choice, device, .. } = device.open()?;
    matmul.set(choice).map_err(Error::msg)?;
    std::fs::create_dir_all(&export).with_context(|| format!("{} cannot be made", export.display()))?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    pool.install(|| match job {
        Job::Training(arguments) => training::run(&arguments, &device, &export),
        Job::FineTuning(arguments) => fine_tuning::run(&arguments, &device, &export),
        Job::Inference { model, candidates } => inference::run(model, candidates, &export),
        Job::Metrics { predictions } => metrics::run(predictions, &export),
        Job::Loading { data_dir } => loading::run(&data_dir, &export),
        Job::Quality(quality) => quality::run(&quality, &device, &export),
    })
}

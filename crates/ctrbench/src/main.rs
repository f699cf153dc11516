//! `ctrbench`: does on-device fine-tuning of a click-through-rate model help or hurt, does label correction repair it,
//! and what does it cost on this hardware?

mod cli;
mod commands;
mod config;
mod experiment;
mod hardware;
mod models;
mod overrides;
mod progress;
mod threads;

use clap::Parser;
use std::process::ExitCode;

/// Short-lived tensors are what a training step is made of; the system's allocator maps and unmaps each large one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Usage or run error; 0 is success. (1 and 3 are kept for the verdicts of comparisons.)
const FAILED: u8 = 2;

fn main() -> ExitCode {
    // SAFETY: no other thread exists yet. candle reads its matmul's thread count from here; ctrbench parallelises above
    // the matmul, so that results do not depend on the number of threads.
    unsafe { std::env::set_var("RAYON_NUM_THREADS", "1") };
    match commands::dispatch(cli::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress::write_line(&format!("error: {}", format!("{error:#}").trim_end()));
            ExitCode::from(FAILED)
        }
    }
}

//! The threads that everything runs on.

use anyhow::{Context, Result};
use rayon::{ThreadPool, ThreadPoolBuilder};

/// A pool of so many threads; 0 takes every core. (rayon's own default would be RAYON_NUM_THREADS, which is 1 for
/// candle's sake.)
pub fn pool(threads: usize) -> Result<ThreadPool> {
    let threads = match threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    };
    let built = ThreadPoolBuilder::new().num_threads(threads).build();
    built.context("the threads could not be started; try a smaller --threads")
}

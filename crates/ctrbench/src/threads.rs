//! The threads that everything runs on.

use anyhow::{Context, Result, bail};
use rayon::{ThreadPool, ThreadPoolBuilder};

/// No machine that this is for has more cores; far more threads would exhaust it.
const MOST_THREADS: usize = 1024;

/// A pool of so many threads; 0 takes every core. (rayon's own default would be RAYON_NUM_THREADS, which is 1 for
/// candle's sake.)
pub fn pool(threads: usize) -> Result<ThreadPool> {
    let threads = match threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        MOST_THREADS.. => bail!("threads is {threads}; use fewer than {MOST_THREADS}, or 0 for every core"),
        threads => threads,
    };
    let built = ThreadPoolBuilder::new().num_threads(threads).build();
    built.context("the threads could not be started; try a smaller --threads")
}

//! What this machine can do at best: the ceiling that every speed is held against.

use anyhow::Result;
use candle_core::{Device, Tensor};
use ctr_nn::affine;
use rayon::prelude::*;
use serde::Serialize;
use std::time::Instant;

/// Side of the square matrices: large enough that packing and calls do not count, small enough for a second-level cache
/// to be used well.
const MATRIX_SIDE: usize = 768;
/// Values per thread of the buffer that is copied: beyond any cache.
const COPIED_VALUES: usize = 32 << 20;
/// Timed rounds, after two that are not.
const ROUNDS: usize = 9;

/// Measured peaks, medians over rounds. Every thread works on its own data.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Peaks {
    /// Threads that worked.
    pub threads: usize,
    /// `f32` matrix products, 10^9 floating-point operations per second over all threads: candle's, or those of which layers
    /// are made (`ctr_nn::affine`), whichever are faster.
    pub gemm_gflops: f64,
    /// Copying `f32` values, 10^9 bytes per second over all threads, read and written counted.
    pub copy_gigabytes_per_second: f64,
}

/// Measures on the caller's rayon pool.
pub fn measure() -> Result<Peaks> {
    let threads = rayon::current_num_threads();
    let side = MATRIX_SIDE;
    let matrices = (0..threads).map(|thread| -> Result<_> {
        let values =
            |pace: f32| (0..side * side).map(|i| (i as f32 * pace + thread as f32).sin()).collect::<Vec<f32>>();
        let square = |pace| Tensor::from_vec(values(pace), (1, side, side), &Device::Cpu);
        Ok((square(0.7)?, square(0.3)?))
    });
    let matrices = matrices.collect::<Result<Vec<_>>>()?;
    let products = 6;
    let median_of = |product: fn(&Tensor, &Tensor) -> candle_core::Result<Tensor>| {
        median_seconds(|| {
            matrices.par_iter().try_for_each(|(a, b)| -> Result<()> {
                for _ in 0..products {
                    std::hint::black_box(product(a, b)?);
                }
                Ok(())
            })
        })
    };
    let seconds = median_of(Tensor::matmul)?.min(median_of(|a, b| affine(a, b, None, false))?);
    let operations = (2 * side.pow(3) * products * threads) as f64;

    let mut buffers: Vec<[Vec<f32>; 2]> =
        (0..threads).map(|thread| [vec![thread as f32 + 1.5; COPIED_VALUES], vec![0.5; COPIED_VALUES]]).collect();
    let copy_seconds = median_seconds(|| {
        buffers.par_iter_mut().for_each(|[from, to]| {
            to.copy_from_slice(from);
            std::hint::black_box(to);
        });
        Ok(())
    })?;
    let bytes = (2 * size_of::<f32>() * COPIED_VALUES * threads) as f64;
    Ok(Peaks {
        threads,
        gemm_gflops: operations / seconds / 1e9,
        copy_gigabytes_per_second: bytes / copy_seconds / 1e9,
    })
}

fn median_seconds(mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut seconds = Vec::with_capacity(ROUNDS);
    for round in 0..ROUNDS + 2 {
        let clock = Instant::now();
        work()?;
        if round >= 2 {
            seconds.push(clock.elapsed().as_secs_f64());
        }
    }
    seconds.sort_by(f64::total_cmp);
    Ok(seconds[ROUNDS / 2])
}

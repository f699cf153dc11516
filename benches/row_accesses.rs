//! The memory accesses of a training step of FM and nothing else of it, on two threads: the floor of a step's time where the table
//! leaves the cache (docs/performance.md). A batch of 4,096 samples of 8 fields is gathered look-up by look-up; then the rows that
//! were looked up are read and written in ascending order with their moments, asked for as many rows ahead as training asks.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use ctr_nn::{SeededRng, seeded_rng};
use rand::Rng;
// For its allocator.
use ctrbench_benches as _;

const SAMPLES: usize = 4096;
const FIELDS: usize = 8;
const ROWS_AHEAD: usize = 12;
/// Batches drawn before the clock, so that none is in the cache because it was the last.
const BATCHES: usize = 60;

/// A row of embeddings, its two moments, a first-order weight and its two moments: as they lie in training.
struct Tables {
    embeddings: Vec<[f32; 16]>,
    embedding_moments: Vec<[f32; 32]>,
    weights: Vec<[f32; 1]>,
    weight_moments: Vec<[f32; 2]>,
}

struct Batch {
    ids: Vec<u32>,
    /// Each once, ascending.
    touched: Vec<u32>,
}

impl Batch {
    fn draw(rows: usize, rng: &mut SeededRng) -> Self {
        let of_field = (rows / FIELDS) as u32;
        let ids: Vec<u32> =
            (0..SAMPLES * FIELDS).map(|i| (i % FIELDS) as u32 * of_field + rng.random_range(0..of_field)).collect();
        let mut touched = ids.clone();
        touched.sort_unstable();
        touched.dedup();
        Self { ids, touched }
    }
}

fn prefetch<const WIDTH: usize>(rows: &[[f32; WIDTH]], row: usize) {
    #[cfg(target_arch = "x86_64")]
    if let Some(row) = rows.get(row) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        for line in row.chunks(16) {
            // SAFETY: a prefetch reads nothing and faults on nothing.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (rows, row);
}

impl Tables {
    fn new(rows: usize) -> Self {
        Self {
            embeddings: vec![[1.0; 16]; rows],
            embedding_moments: vec![[1.0; 32]; rows],
            weights: vec![[1.0]; rows],
            weight_moments: vec![[1.0; 2]; rows],
        }
    }

    fn step(&mut self, batch: &Batch, gathered: &mut [[f32; 16]]) {
        let (first, second) = batch.ids.split_at(batch.ids.len() / 2);
        let (into_first, into_second) = gathered.split_at_mut(first.len());
        let tables = &*self;
        rayon::join(|| tables.gather(first, into_first), || tables.gather(second, into_second));

        let (first, second) = batch.touched.split_at(batch.touched.len() / 2);
        let cut = second.first().map_or(0, |row| *row as usize);
        let (e, f) = self.embeddings.split_at_mut(cut);
        let (em, fm) = self.embedding_moments.split_at_mut(cut);
        let (w, x) = self.weights.split_at_mut(cut);
        let (wm, xm) = self.weight_moments.split_at_mut(cut);
        let both = |rows: &[u32], from, e: &mut _, em: &mut _, w: &mut _, wm: &mut _| {
            update::<16, 32>(rows, from, e, em);
            update::<1, 2>(rows, from, w, wm);
        };
        rayon::join(|| both(first, 0, e, em, w, wm), || both(second, cut, f, fm, x, xm));
    }

    fn gather(&self, ids: &[u32], gathered: &mut [[f32; 16]]) {
        for (i, (&id, gathered)) in ids.iter().zip(gathered).enumerate() {
            if let Some(&next) = ids.get(i + ROWS_AHEAD) {
                prefetch(&self.embeddings, next as usize);
                prefetch(&self.weights, next as usize);
            }
            *gathered = self.embeddings[id as usize];
            gathered[0] += self.weights[id as usize][0];
        }
    }
}

/// Reads and writes `rows` and their moments, both counted from row `from` of the table.
fn update<const WIDTH: usize, const STATE: usize>(
    rows: &[u32],
    from: usize,
    values: &mut [[f32; WIDTH]],
    moments: &mut [[f32; STATE]],
) {
    for (i, &row) in rows.iter().enumerate() {
        if let Some(&next) = rows.get(i + ROWS_AHEAD) {
            prefetch(values, next as usize - from);
            prefetch(moments, next as usize - from);
        }
        values[row as usize - from].iter_mut().for_each(|value| *value += 1e-9);
        moments[row as usize - from].iter_mut().for_each(|moment| *moment *= 0.999);
    }
}

fn row_accesses(criterion: &mut Criterion) {
    let pool = ctrbench_benches::two_threads();
    let mut group = criterion.benchmark_group("row_accesses");
    for rows in [10_000, 1_000_000, 10_000_000] {
        let mut rng = seeded_rng(1, "benchmark", rows as u64);
        let batches: Vec<Batch> = (0..BATCHES).map(|_| Batch::draw(rows, &mut rng)).collect();
        let (mut tables, mut gathered) = (Tables::new(rows), vec![[0.0; 16]; SAMPLES * FIELDS]);
        let mut next = 0;
        group.bench_function(BenchmarkId::from_parameter(rows), |bencher| {
            bencher.iter(|| {
                next = (next + 1) % BATCHES;
                pool.install(|| tables.step(&batches[next], &mut gathered));
            });
        });
    }
}

criterion_group!(benches, row_accesses);
criterion_main!(benches);

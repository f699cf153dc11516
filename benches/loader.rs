//! Loading: a synthetic dataset of about 100,000 rows drawn, encoded and cached, and read back from the cache.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

const USERS: u32 = 1000;
const ROWS_PER_USER: f64 = 100.0;

fn loader(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let rows = ctrbench_benches::dataset(USERS, ROWS_PER_USER, folder.path()).len() as u64;
    let mut group = criterion.benchmark_group("loader");
    group.sample_size(10).throughput(Throughput::Elements(rows));
    group.bench_function("cold", |bencher| {
        let empty_cache = || tempfile::tempdir().expect("a temporary folder");
        let load = |cache: tempfile::TempDir| (ctrbench_benches::dataset(USERS, ROWS_PER_USER, cache.path()), cache);
        bencher.iter_batched(empty_cache, load, BatchSize::PerIteration);
    });
    group.bench_function("cached", |bencher| {
        bencher.iter(|| ctrbench_benches::dataset(USERS, ROWS_PER_USER, folder.path()));
    });
}

criterion_group!(benches, loader);
criterion_main!(benches);

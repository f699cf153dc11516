//! Metrics of a million predictions of ten thousand users: pooled AUC alone, all metrics, and all metrics with intervals
//! from 200 resamples of users on two threads.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ctr_metrics::{Bootstrap, Scored, auc, evaluate, evaluate_with_intervals};
use ctr_nn::seeded_rng;
use rand::Rng;

const SAMPLES: usize = 1_000_000;
const SAMPLES_PER_USER: usize = 100;

fn metrics(criterion: &mut Criterion) {
    let mut rng = seeded_rng(1, "benchmark", 0);
    let logits: Vec<f32> = (0..SAMPLES).map(|_| rng.random_range(-4.0..4.0)).collect();
    let labels: Vec<u8> = logits.iter().map(|z| u8::from(rng.random_range(-6.0..6.0) < *z)).collect();
    let offsets: Vec<usize> = (0..=SAMPLES).step_by(SAMPLES_PER_USER).collect();
    let scored = Scored::new(&logits, &labels, &offsets).expect("consistent lengths");
    let mut group = criterion.benchmark_group("metrics");
    group.sample_size(10).throughput(Throughput::Elements(SAMPLES as u64));
    group.bench_function("auc", |bencher| bencher.iter(|| auc(&logits, &labels)));
    group.bench_function("all", |bencher| bencher.iter(|| evaluate(&scored)));
    let pool = ctrbench_benches::two_threads();
    group.bench_function("all_with_intervals", |bencher| {
        bencher.iter(|| pool.install(|| evaluate_with_intervals(&scored, None, &Bootstrap::default())));
    });
}

criterion_group!(benches, metrics);
criterion_main!(benches);

//! One epoch of cloud training by row-sparse Adam with batch 4096: rows per second of each model on two threads.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ctr_data::Split;
use ctr_train::{TrainingConfig, train};

fn training(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dataset = ctrbench_benches::dataset(400, 90.0, folder.path());
    let rows = dataset.indices(Split::Train).len() as u64;
    let config = TrainingConfig { epochs: 1, ..TrainingConfig::default() };
    let device = candle_core::Device::Cpu;
    let pool = ctrbench_benches::two_threads();
    let mut group = criterion.benchmark_group("training");
    group.sample_size(10).throughput(Throughput::Elements(rows));
    for (name, model) in ctrbench_benches::models(&dataset) {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                pool.install(|| train(&*model, name, &dataset, &config, 1, &device, None, &mut |_| {}))
                    .expect("a model")
            });
        });
    }
}

criterion_group!(benches, training);
criterion_main!(benches);

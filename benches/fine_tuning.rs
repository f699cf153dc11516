//! Users fine-tuned per second: one epoch of SGD with batch 32 over about 128 local samples a user, encoding and scoring
//! of the test samples included, on two threads.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ctr_data::Split;
use ctr_nn::Parameters;
use ctr_personalize::{FineTuner, FineTuningConfig, Method, natural};
use ctr_train::predict;

const USERS: usize = 512;

fn fine_tuning(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // 70 % of the rows are local: 183 rows a user make about 128 local samples.
    let dataset = ctrbench_benches::dataset(USERS as u32, 183.0, folder.path());
    let tasks = natural(&dataset, 1, Split::Test);
    let device = candle_core::Device::Cpu;
    let config = FineTuningConfig::default();
    let method = Method::parse("none").expect("a known method");
    let pool = ctrbench_benches::two_threads();
    let mut group = criterion.benchmark_group("fine_tuning");
    group.sample_size(10).throughput(Throughput::Elements(tasks.users.len() as u64));
    for (name, model) in ctrbench_benches::models(&dataset) {
        let cloud = Parameters::initialize(model.parameters(), 1, &device).expect("parameters");
        let samples: Vec<u32> = (0..dataset.len() as u32).collect();
        let logits = predict(&*model, &cloud, &dataset, &samples, &device).expect("logits");
        let tuner = FineTuner::new(&*model, &cloud, &logits, &dataset, &config, &device);
        group.bench_function(name, |bencher| {
            bencher.iter(|| pool.install(|| tuner.run(&tasks, &method, 1)).expect("fine-tuned users"));
        });
    }
}

criterion_group!(benches, fine_tuning);
criterion_main!(benches);

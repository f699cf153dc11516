//! Cloud training on a small synthetic dataset.

use candle_core::Device;
use ctr_data::{Dataset, DatasetConfig, Split, SyntheticConfig};
use ctr_deepfm::DeepFmConfig;
use ctr_nn::{Algorithm, CtrModel, MlpConfig, ModelConfig, ModelInput, OptimizerConfig};
use ctr_train::{EmbeddingUpdate, EpochEvent, TrainError, TrainedModel, TrainingConfig, predict, train};
use std::{fs, path::Path};

fn dataset(folder: &Path) -> Dataset {
    let mut config = DatasetConfig::new("synthetic");
    config.cache_dir = folder.join("cache");
    config.synthetic = SyntheticConfig { users: 100, items: 80, rows_per_user: 50.0, ..SyntheticConfig::default() };
    ctr_data::load(&config, &|_| {}).expect("a synthetic dataset")
}

/// Batch norm and dropout in it, so that their state is covered too.
fn model(dataset: &Dataset) -> Box<dyn CtrModel> {
    let mlp = MlpConfig { hidden_units: vec![16], dropout: 0.2, batch_norm: true, ..MlpConfig::default() };
    let input = ModelInput {
        fields: dataset.fields.len(),
        item_field: dataset.item_field,
        table_rows: dataset.table_rows(),
        history_length: dataset.history_length,
    };
    DeepFmConfig { mlp, ..DeepFmConfig::default() }.build(&input).expect("valid settings")
}

fn config(epochs: usize) -> TrainingConfig {
    TrainingConfig { epochs, batch_size: 256, patience: 100, learning_rate_factor: 0.5, ..TrainingConfig::default() }
}

fn run(dataset: &Dataset, config: &TrainingConfig, checkpoint: Option<&Path>) -> Result<TrainedModel, TrainError> {
    train(&*model(dataset), "deepfm", dataset, config, 7, &Device::Cpu, checkpoint, &mut |_| {})
}

fn logits(dataset: &Dataset, trained: &TrainedModel) -> Vec<f32> {
    predict(&*model(dataset), &trained.parameters, dataset, &dataset.indices(Split::Test), &Device::Cpu)
        .expect("logits")
}

#[test]
fn training_lowers_the_loss_and_ranks_the_validation_part() {
    let folder = tempfile::tempdir().expect("a folder");
    let dataset = dataset(folder.path());
    let report = run(&dataset, &config(6), None).expect("a trained model").report;
    let (first, last) = (&report.epochs[0], &report.epochs[5]);
    assert!(last.train_loss < first.train_loss);
    assert!(report.epochs[report.best_epoch - 1].validation > 0.6, "{:?}", report.epochs);
    assert!(report.epochs.iter().all(|epoch| epoch.validation <= report.epochs[report.best_epoch - 1].validation));
}

/// A run killed after its second epoch and continued ends where an uninterrupted one ends, bit for bit: parameters,
/// optimizer state, running statistics, dropout masks and order all come back.
#[test]
fn a_resumed_run_ends_bit_for_bit_where_an_uninterrupted_one_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let dataset = dataset(folder.path());
    for algorithm in [Algorithm::Adam, Algorithm::Adamw, Algorithm::Adagrad, Algorithm::Sgd] {
        let config = TrainingConfig { optimizer: OptimizerConfig::new(algorithm, 0.01), ..config(5) };
        let path = folder.path().join(format!("{algorithm:?}.safetensors"));
        // The copy taken as the third epoch ends is what a process killed in the third epoch leaves behind.
        let after_two = path.with_extension("two");
        let mut epochs = 0;
        let mut on_epoch = |_: EpochEvent| {
            epochs += 1;
            if epochs == 2 {
                fs::copy(&path, &after_two).expect("a checkpoint");
            }
        };
        let model = model(&dataset);
        let whole = train(&*model, "deepfm", &dataset, &config, 7, &Device::Cpu, Some(&path), &mut on_epoch)
            .expect("a trained model");
        let mut were_restored = Vec::new();
        let mut on_epoch = |event: EpochEvent| were_restored.push(matches!(event, EpochEvent::Restored(_)));
        let resumed = train(&*model, "deepfm", &dataset, &config, 7, &Device::Cpu, Some(&after_two), &mut on_epoch)
            .expect("a resumed model");
        assert_eq!(were_restored, [true, true, false, false, false]);
        assert_eq!(logits(&dataset, &whole), logits(&dataset, &resumed), "{algorithm:?}");
        let finished = run(&dataset, &config, Some(&path)).expect("a finished model");
        assert_eq!(finished.report, whole.report, "a finished run is taken over as it is");
    }
}

#[test]
fn a_checkpoint_of_another_run_or_a_damaged_one_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let dataset = dataset(folder.path());
    let path = folder.path().join("model.safetensors");
    run(&dataset, &config(1), Some(&path)).expect("a trained model");
    let other = run(&dataset, &config(2), Some(&path)).unwrap_err();
    assert!(matches!(other, TrainError::ForeignCheckpoint { .. }), "{other}");
    let mut one_value_changed = fs::read(&path).expect("readable");
    *one_value_changed.last_mut().expect("bytes") ^= 1;
    for contents in [one_value_changed.as_slice(), b"not a checkpoint"] {
        fs::write(&path, contents).expect("writable");
        let damaged = run(&dataset, &config(1), Some(&path)).unwrap_err().to_string();
        assert!(damaged.contains("delete it and train again"), "{damaged}");
    }
}

/// One shard is one forward over the batch; more shards only split the sum. Without batch norm, whose statistics are per
/// shard, the results agree to rounding.
#[test]
fn shards_do_not_change_the_gradient() {
    let folder = tempfile::tempdir().expect("a folder");
    let dataset = dataset(folder.path());
    let input = ModelInput {
        fields: dataset.fields.len(),
        item_field: dataset.item_field,
        table_rows: dataset.table_rows(),
        history_length: dataset.history_length,
    };
    let model = DeepFmConfig::default().build(&input).expect("valid settings");
    for embedding_update in [EmbeddingUpdate::Touched, EmbeddingUpdate::All] {
        let train_with = |shards| {
            let optimizer = OptimizerConfig::new(Algorithm::Sgd, 0.1);
            let config = TrainingConfig { shards, optimizer, embedding_update, l2_dense: 1e-3, ..config(2) };
            let trained =
                train(&*model, "deepfm", &dataset, &config, 7, &Device::Cpu, None, &mut |_| {}).expect("trained");
            predict(&*model, &trained.parameters, &dataset, &dataset.indices(Split::Test), &Device::Cpu)
                .expect("logits")
        };
        let (one, four) = (train_with(1), train_with(4));
        for (a, b) in one.iter().zip(&four) {
            assert!((a - b).abs() < 1e-4, "{embedding_update:?}: {a} {b}");
        }
    }
}

/// Without L2, plain SGD moves only touched rows anyway, so both update rules are the same rule.
#[test]
fn sgd_without_l2_is_the_same_rule_dense_and_row_sparse() {
    let folder = tempfile::tempdir().expect("a folder");
    let dataset = dataset(folder.path());
    let train_with = |embedding_update| {
        let optimizer = OptimizerConfig::new(Algorithm::Sgd, 0.1);
        let trained =
            run(&dataset, &TrainingConfig { optimizer, embedding_update, ..config(2) }, None).expect("trained");
        logits(&dataset, &trained)
    };
    assert_eq!(train_with(EmbeddingUpdate::Touched), train_with(EmbeddingUpdate::All));
}

#[test]
fn a_loss_that_is_not_a_number_and_a_batch_too_large_say_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let dataset = dataset(folder.path());
    let optimizer = OptimizerConfig::new(Algorithm::Sgd, 1e12);
    let diverged = run(&dataset, &TrainingConfig { optimizer, ..config(5) }, None).unwrap_err().to_string();
    assert!(diverged.contains("lower training.optimizer.learning_rate"), "{diverged}");
    let small = run(&dataset, &TrainingConfig { batch_size: 1_000_000, ..config(1) }, None).unwrap_err().to_string();
    assert!(small.contains("fewer than one batch of 1000000"), "{small}");
}

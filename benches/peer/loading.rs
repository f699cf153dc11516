//! From raw files to the end of the first epoch.

use crate::{arguments::Model, rounds::serve, sizes, start};
use anyhow::{Context, Result, ensure};
use candle_core::Device;
use ctr_data::{Dataset, DatasetConfig, Split};
use ctr_train::{EmbeddingUpdate, EpochReport, Monitor, TrainingConfig, epoch_order, train};
use serde_json::json;
use std::{path::Path, time::Instant};

const SEED: u64 = 1;

/// One round loads MovieLens-1M without a cache and trains DeepFM for one epoch, validation included: by the dense rule, which
/// is that of the other half's Adam. What the other half needs for the same epoch is written before.
pub fn run(data_dir: &Path, export: &Path) -> Result<()> {
    let mut config = DatasetConfig::new("movielens-1m");
    config.data_dir = Some(data_dir.to_owned());
    config.cache_dir = export.join("cold-cache");
    let training = TrainingConfig {
        epochs: 1,
        embedding_update: EmbeddingUpdate::All,
        monitor: Monitor::Logloss,
        ..TrainingConfig::default()
    };
    remove_cache(&config)?;
    let dataset = ctr_data::load(&config, &|_| {})?;
    ctr_data::write_encoded(&dataset, export)?;
    let structure = sizes::model(Model::DeepFm, &dataset, &[128, 64], &[])?;
    start::write(&*structure, SEED, epoch_order(&dataset.indices(Split::Train), SEED, 1), export)?;
    let expected = epoch(&dataset, &training)?;
    let ready = json!({
        "batch_size": training.batch_size,
        "learning_rate": training.optimizer.learning_rate,
        "train_loss": expected.train_loss,
        "held_out_loss": expected.validation,
    });
    drop(dataset);
    serve(ready, || {
        remove_cache(&config)?;
        let clock = Instant::now();
        let dataset = ctr_data::load(&config, &|_| {})?;
        let load_seconds = clock.elapsed().as_secs_f64();
        let report = epoch(&dataset, &training)?;
        let seconds = clock.elapsed().as_secs_f64();
        ensure!(
            (report.train_loss, report.validation) == (expected.train_loss, expected.validation),
            "the timed epoch is not the one that was held against the other half's"
        );
        Ok(json!({ "seconds": seconds, "load_seconds": load_seconds }))
    })
}

fn remove_cache(config: &DatasetConfig) -> Result<()> {
    let cache = &config.cache_dir;
    if cache.exists() {
        std::fs::remove_dir_all(cache).with_context(|| format!("{} cannot be removed", cache.display()))?;
    }
    Ok(())
}

fn epoch(dataset: &Dataset, training: &TrainingConfig) -> Result<EpochReport> {
    let structure = sizes::model(Model::DeepFm, dataset, &[128, 64], &[])?;
    let trained = train(&*structure, "deepfm", dataset, training, SEED, &Device::Cpu, None, &mut |_| {})?;
    Ok(trained.report.epochs[0].clone())
}

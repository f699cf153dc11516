//! From raw files to the end of the first epoch.

use crate::{arguments::Model, rounds::serve, sizes};
use anyhow::{Context, Result};
use candle_core::Device;
use ctr_data::{DatasetConfig, Split};
use ctr_train::{TrainingConfig, train};
use serde_json::json;
use std::{path::Path, time::Instant};

/// One round loads MovieLens-1M without a cache and trains DeepFM for one epoch, validation included.
pub fn run(data_dir: &Path, export: &Path) -> Result<()> {
    let cache = export.join("cold-cache");
    let mut config = DatasetConfig::new("movielens-1m");
    config.data_dir = Some(data_dir.to_owned());
    config.cache_dir = cache.clone();
    let dataset = ctr_data::load(&config, &|_| {})?;
    let ready = json!({
        "batch_size": TrainingConfig::default().batch_size,
        "rows": dataset.len(),
        "training_rows": dataset.indices(Split::Train).len(),
        "positives": dataset.samples.label.iter().filter(|label| **label == 1).count(),
    });
    drop(dataset);
    serve(ready, || {
        if cache.exists() {
            std::fs::remove_dir_all(&cache).with_context(|| format!("{} cannot be removed", cache.display()))?;
        }
        let clock = Instant::now();
        let dataset = ctr_data::load(&config, &|_| {})?;
        let load_seconds = clock.elapsed().as_secs_f64();
        let structure = sizes::model(Model::DeepFm, &dataset, &[128, 64], &[])?;
        let training = TrainingConfig { epochs: 1, ..TrainingConfig::default() };
        let trained = train(&*structure, "deepfm", &dataset, &training, 1, &Device::Cpu, None, &mut |_| {})?;
        Ok(json!({
            "seconds": clock.elapsed().as_secs_f64(),
            "load_seconds": load_seconds,
            "validation_auc": trained.report.epochs[0].validation,
        }))
    })
}

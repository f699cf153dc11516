//! How well a model ranks after equal epochs.

use crate::{arguments::QualityArguments, rounds::serve, sizes, start};
use anyhow::Result;
use candle_core::Device;
use ctr_data::{DatasetConfig, Split};
use ctr_nn::{Algorithm, OptimizerConfig};
use ctr_train::{EmbeddingUpdate, Monitor, TrainingConfig, epoch_order, train};
use serde_json::json;
use std::path::Path;

const HISTORY_LENGTH: usize = 20;

/// One round is the next seed on MovieLens-1M: `epochs` epochs by the row-sparse rule and by the dense one (`every_row`: by
/// the dense one alone) from the same weights, whose validation AUC it answers. What the other half needs for the same seed is
/// written before.
pub fn run(arguments: &QualityArguments, device: &Device, export: &Path) -> Result<()> {
    let &QualityArguments { model, epochs, ref data_dir, every_row } = arguments;
    let mut config = DatasetConfig::new("movielens-1m");
    config.data_dir = Some(data_dir.clone());
    config.cache_dir = export.join("cache");
    config.history_length = HISTORY_LENGTH;
    let dataset = ctr_data::load(&config, &|_| {})?;
    ctr_data::write_encoded(&dataset, export)?;
    let structure = sizes::model(model, &dataset, &[128, 64], &[80, 40])?;
    let training = TrainingConfig {
        epochs,
        batch_size: 1024,
        optimizer: OptimizerConfig::new(Algorithm::Adam, 2e-3),
        patience: epochs,
        monitor: Monitor::Auc,
        learning_rate_factor: 1.0,
        ..TrainingConfig::default()
    };
    let ready = json!({
        "epochs": epochs,
        "batch_size": training.batch_size,
        "learning_rate": training.optimizer.learning_rate,
    });
    let samples = dataset.indices(Split::Train);
    let mut seed = 0;
    serve(ready, || {
        seed += 1;
        let order = (1..=epochs).flat_map(|epoch| epoch_order(&samples, seed, epoch));
        start::write(&*structure, seed, order, export)?;
        let auc = |embedding_update| {
            let config = TrainingConfig { embedding_update, ..training.clone() };
            let trained = train(&*structure, sizes::name(model), &dataset, &config, seed, device, None, &mut |_| {})?;
            Ok::<_, anyhow::Error>(trained.report.epochs[epochs - 1].validation)
        };
        if every_row {
            return Ok(json!({ "auc": auc(EmbeddingUpdate::All)? }));
        }
        Ok(json!({
            "auc": auc(EmbeddingUpdate::Touched)?,
            "others": { "ctrbench, every row": { "auc": auc(EmbeddingUpdate::All)? } },
        }))
    })
}

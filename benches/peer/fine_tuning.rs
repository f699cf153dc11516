//! Users fine-tuned per second.

use crate::{
    arguments::{FineTuningArguments, Model},
    rounds::serve,
    sizes,
    training::dense_weights,
};
use anyhow::{Context, Result};
use candle_core::{Device, Tensor};
use ctr_data::{Dataset, DatasetConfig, Split, SyntheticConfig};
use ctr_metrics::auc;
use ctr_nn::{CtrModel, Parameters, load_tensors, save_tensors};
use ctr_personalize::{FineTuner, FineTuningConfig, Method, Tasks, natural};
use ctr_train::{TrainingConfig, predict, train};
use serde_json::{Map, json};
use std::{collections::BTreeMap, path::Path, time::Instant};

const SEED: u64 = 1;
const HISTORY_LENGTH: usize = 50;
const SHORTEST_ROUND_SECONDS: f64 = 1.0;

/// A cloud model on the synthetic dataset, and the users to fine-tune: about 128 local samples each.
pub struct Cloud {
    pub dataset: Dataset,
    pub tasks: Tasks,
    pub structure: Box<dyn CtrModel>,
    pub parameters: Parameters,
    pub logits: Vec<f32>,
}

impl Cloud {
    /// Reads dataset and weights from `folder` where it holds them, else makes them, trains for `epochs` and writes both.
    pub fn new(model: Model, users: u32, epochs: usize, device: &Device, folder: &Path) -> Result<Self> {
        let mut config = DatasetConfig::new("synthetic");
        config.cache_dir = folder.join("cache");
        config.history_length = HISTORY_LENGTH;
        // 70 % of the rows are local.
        config.synthetic = SyntheticConfig { users, rows_per_user: 183.0, ..SyntheticConfig::default() };
        let dataset = ctr_data::load(&config, &|_| {})?;
        let structure = sizes::model(model, &dataset, &[128, 64], &[80, 40])?;
        let weights = folder.join("initial.safetensors");
        let parameters = if weights.exists() {
            let parameters = Parameters::initialize(structure.parameters(), SEED, device)?;
            parameters.restore(&load_tensors(&weights)?)?;
            parameters
        } else {
            ctr_data::write_encoded(&dataset, folder)?;
            let training = TrainingConfig { epochs, ..TrainingConfig::default() };
            let trained = train(&*structure, sizes::name(model), &dataset, &training, SEED, device, None, &mut |_| {})?;
            save_tensors(&trained.parameters.snapshot()?, &weights)?;
            trained.parameters
        };
        let samples: Vec<u32> = (0..dataset.len() as u32).collect();
        let logits = predict(&*structure, &parameters, &dataset, &samples, device)?;
        let tasks = natural(&dataset, 10, Split::Test);
        Ok(Self { dataset, tasks, structure, parameters, logits })
    }
}

/// One round fine-tunes every user (SGD, one epoch of batch 32) and scores the user's test samples, over and over until a
/// second is full; then once more for each of the other chunk sizes.
pub fn run(arguments: &FineTuningArguments, device: &Device, export: &Path) -> Result<()> {
    let FineTuningArguments { model, users, chunk_users, other_chunks, cloud_epochs, cloud: folder } = arguments;
    let folder = folder.as_deref().unwrap_or(export);
    std::fs::create_dir_all(folder)?;
    let cloud = Cloud::new(*model, *users, *cloud_epochs, device, folder)?;
    let config = FineTuningConfig { chunk_users: *chunk_users, ..FineTuningConfig::default() };
    let with_chunks = |chunk| FineTuningConfig { chunk_users: Some(chunk), ..config.clone() };
    let other_configs: Vec<FineTuningConfig> = other_chunks.iter().map(|&chunk| with_chunks(chunk)).collect();
    let tuner_of =
        |config| FineTuner::new(&*cloud.structure, &cloud.parameters, &cloud.logits, &cloud.dataset, config, device);
    let tuner = tuner_of(&config);
    let method = Method::parse("none")?;
    let expected = tuner.run(&cloud.tasks, &method, SEED)?;
    let judged = cloud.tasks.judged_samples();
    let labels: Vec<u8> = judged.iter().map(|&sample| cloud.dataset.samples.label[sample as usize]).collect();
    let auc = auc(&expected.logits, &labels).context("the judged samples are of one class")?;

    // What each user's copy sees, in order, and what it must answer.
    let (mut local, mut local_offsets) = (Vec::new(), vec![0u32]);
    for task in &cloud.tasks.users {
        local.extend(tuner.sample_order(task, SEED).iter().map(|&position| task.local[position as usize]));
        local_offsets.push(local.len() as u32);
    }
    let judged_offsets: Vec<u32> = cloud.tasks.judged_offsets().iter().map(|&offset| offset as u32).collect();
    let samples = local.len();
    let column = |values: Vec<u32>| Tensor::new(values, &Device::Cpu);
    let tasks = BTreeMap::from([
        ("local".to_owned(), column(local)?),
        ("local_offsets".to_owned(), column(local_offsets)?),
        ("judged".to_owned(), column(judged)?),
        ("judged_offsets".to_owned(), column(judged_offsets)?),
        ("expected_logits".to_owned(), Tensor::new(expected.logits, &Device::Cpu)?),
    ]);
    save_tensors(&tasks, &export.join("tasks.safetensors"))?;

    let users = cloud.tasks.users.len();
    let ready = json!({
        "users": users,
        "cloud": folder,
        "chunk_users": expected.chunk_users.0,
        "auc": auc,
        "local_samples_per_user": samples as f64 / users as f64,
        "batch_size": config.batch_size,
        "learning_rate": config.optimizer.learning_rate,
        "flops_per_user": 6.0 * dense_weights(&cloud.structure.parameters(), HISTORY_LENGTH) as f64 * samples as f64
            / users as f64,
    });
    let seconds = |tuner: &FineTuner| {
        device.synchronize()?;
        let (clock, mut passes) = (Instant::now(), 0);
        // Small models take hundredths of a second for all users.
        while clock.elapsed().as_secs_f64() < SHORTEST_ROUND_SECONDS {
            tuner.run(&cloud.tasks, &method, SEED)?;
            device.synchronize()?;
            passes += 1;
        }
        Ok::<_, anyhow::Error>(clock.elapsed().as_secs_f64() / f64::from(passes))
    };
    serve(ready, || {
        let mut others = Map::new();
        let own = seconds(&tuner)?;
        for (chunk, config) in other_chunks.iter().zip(&other_configs) {
            others.insert(format!("ctrbench, chunks of {chunk}"), json!({ "seconds": seconds(&tuner_of(config))? }));
        }
        Ok(json!({ "seconds": own, "others": others }))
    })
}

//! Users fine-tuned per second.

use crate::{arguments::Model, rounds::serve, sizes, training::dense_weights};
use anyhow::Result;
use candle_core::{Device, Tensor};
use ctr_data::{Dataset, DatasetConfig, Split, SyntheticConfig};
use ctr_nn::{CtrModel, Parameters, save_tensors};
use ctr_personalize::{FineTuner, FineTuningConfig, Method, Tasks, natural};
use ctr_train::{TrainingConfig, predict, train};
use serde_json::json;
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
    /// Trains for two epochs and writes dataset and weights to `export`.
    pub fn new(model: Model, users: u32, export: &Path) -> Result<Self> {
        let mut config = DatasetConfig::new("synthetic");
        config.cache_dir = export.join("cache");
        config.history_length = HISTORY_LENGTH;
        // 70 % of the rows are local.
        config.synthetic = SyntheticConfig { users, rows_per_user: 183.0, ..SyntheticConfig::default() };
        let dataset = ctr_data::load(&config, &|_| {})?;
        ctr_data::write_encoded(&dataset, export)?;
        let structure = sizes::model(model, &dataset, &[128, 64], &[80, 40])?;
        let training = TrainingConfig { epochs: 2, ..TrainingConfig::default() };
        let trained =
            train(&*structure, sizes::name(model), &dataset, &training, SEED, &Device::Cpu, None, &mut |_| {})?;
        save_tensors(&trained.parameters.snapshot()?, &export.join("initial.safetensors"))?;
        let samples: Vec<u32> = (0..dataset.len() as u32).collect();
        let logits = predict(&*structure, &trained.parameters, &dataset, &samples, &Device::Cpu)?;
        let tasks = natural(&dataset, 10, Split::Test);
        Ok(Self { dataset, tasks, structure, parameters: trained.parameters, logits })
    }
}

/// One round fine-tunes every user (SGD, one epoch of batch 32) and scores the user's test samples, over and over until a
/// second is full.
pub fn run(model: Model, users: u32, chunk_users: Option<usize>, export: &Path) -> Result<()> {
    let cloud = Cloud::new(model, users, export)?;
    let config = FineTuningConfig { chunk_users, ..FineTuningConfig::default() };
    let tuner =
        FineTuner::new(&*cloud.structure, &cloud.parameters, &cloud.logits, &cloud.dataset, &config, &Device::Cpu);
    let method = Method::parse("none")?;
    let expected = tuner.run(&cloud.tasks, &method, SEED)?;

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
        ("judged".to_owned(), column(cloud.tasks.judged_samples())?),
        ("judged_offsets".to_owned(), column(judged_offsets)?),
        ("expected_logits".to_owned(), Tensor::new(expected.logits, &Device::Cpu)?),
    ]);
    save_tensors(&tasks, &export.join("tasks.safetensors"))?;

    let users = cloud.tasks.users.len();
    let ready = json!({
        "users": users,
        "local_samples_per_user": samples as f64 / users as f64,
        "batch_size": config.batch_size,
        "learning_rate": config.optimizer.learning_rate,
        "flops_per_user": 6.0 * dense_weights(&cloud.structure.parameters(), HISTORY_LENGTH) as f64 * samples as f64
            / users as f64,
    });
    serve(ready, || {
        let (clock, mut passes) = (Instant::now(), 0);
        // Small models take hundredths of a second for all users.
        while clock.elapsed().as_secs_f64() < SHORTEST_ROUND_SECONDS {
            tuner.run(&cloud.tasks, &method, SEED)?;
            passes += 1;
        }
        Ok(json!({ "seconds": clock.elapsed().as_secs_f64() / f64::from(passes) }))
    })
}

//! What every benchmark works on: the five models at the sizes of the published figures, and a synthetic dataset.

use ctr_data::{Dataset, DatasetConfig, SyntheticConfig};
use ctr_nn::{CtrModel, ModelConfig, ModelInput};
use std::path::Path;

/// The allocator of the `ctrbench` binary, so that benchmarks measure what users run.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A synthetic dataset with this many users and mean rows per user, cached in `cache_dir`.
///
/// # Panics
/// If it cannot be made: there is nothing to measure then.
pub fn dataset(users: u32, rows_per_user: f64, cache_dir: &Path) -> Dataset {
    let mut config = DatasetConfig::new("synthetic");
    config.cache_dir = cache_dir.to_owned();
    config.synthetic = SyntheticConfig { users, rows_per_user, ..SyntheticConfig::default() };
    ctr_data::load(&config, &|_| {}).expect("a synthetic dataset")
}

/// A model's name and its structure for a dataset.
pub type NamedModel = (&'static str, Box<dyn CtrModel>);

/// The five models with default settings: embedding dimension 16, hidden layers 128 and 64.
///
/// # Panics
/// Never: the default settings are valid.
pub fn models(dataset: &Dataset) -> Vec<NamedModel> {
    fn model<C: ModelConfig>(input: &ModelInput) -> NamedModel {
        (C::NAME, C::default().build(input).expect("default settings are valid"))
    }
    let input = ModelInput {
        fields: dataset.fields.len(),
        item_field: dataset.item_field,
        table_rows: dataset.table_rows(),
        history_length: dataset.history_length,
    };
    vec![
        model::<ctr_lr::LrConfig>(&input),
        model::<ctr_fm::FmConfig>(&input),
        model::<ctr_deepfm::DeepFmConfig>(&input),
        model::<ctr_din::DinConfig>(&input),
        model::<ctr_dcn::DcnConfig>(&input),
    ]
}

/// A pool of two threads, the cores that the published figures are for.
///
/// # Panics
/// If the threads cannot be started.
pub fn two_threads() -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("two threads")
}

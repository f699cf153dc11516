//! The models at the sizes that are compared.

use crate::arguments::Model;
use anyhow::{Result, anyhow};
use ctr_data::Dataset;
use ctr_dcn::DcnConfig;
use ctr_deepfm::DeepFmConfig;
use ctr_din::DinConfig;
use ctr_fm::FmConfig;
use ctr_lr::LrConfig;
use ctr_nn::{CtrModel, MlpConfig, ModelConfig, ModelInput};

/// A model over `dataset` with embedding dimension 16, these hidden layers, and for DIN these of its attention unit.
pub fn model(model: Model, dataset: &Dataset, hidden: &[usize], attention: &[usize]) -> Result<Box<dyn CtrModel>> {
    let input = ModelInput {
        fields: dataset.fields.len(),
        item_field: dataset.item_field,
        table_rows: dataset.table_rows(),
        history_length: dataset.history_length,
    };
    let mlp = MlpConfig { hidden_units: hidden.to_vec(), ..MlpConfig::default() };
    let built = match model {
        Model::Lr => LrConfig::default().build(&input),
        Model::Fm => FmConfig::default().build(&input),
        Model::DeepFm => DeepFmConfig { mlp, ..DeepFmConfig::default() }.build(&input),
        Model::Din => {
            DinConfig { mlp, attention_hidden_units: attention.to_vec(), ..DinConfig::default() }.build(&input)
        }
        Model::Dcn => DcnConfig { mlp, ..DcnConfig::default() }.build(&input),
    };
    built.map_err(|message| anyhow!(message))
}

/// The model's name in configurations.
pub fn name(model: Model) -> &'static str {
    match model {
        Model::Lr => LrConfig::NAME,
        Model::Fm => FmConfig::NAME,
        Model::DeepFm => DeepFmConfig::NAME,
        Model::Din => DinConfig::NAME,
        Model::Dcn => DcnConfig::NAME,
    }
}

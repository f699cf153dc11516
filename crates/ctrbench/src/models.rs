//! The registry of models. A new one is a crate and a line in [`MODELS`].

use anyhow::{Result, anyhow, bail};
use ctr_nn::{CtrModel, ModelConfig, ModelInput};
use toml::{Table, Value};

/// A model that can be named in a configuration.
pub struct Entry {
    /// Name in configurations and tables.
    pub name: &'static str,
    /// The paper.
    pub source: &'static str,
    build: fn(Table, &ModelInput) -> Result<Box<dyn CtrModel>>,
    resolve: fn(Table, &ModelInput) -> Result<Table>,
}

/// Every model.
pub const MODELS: &[Entry] = &[
    entry::<ctr_lr::LrConfig>("logistic regression"),
    entry::<ctr_fm::FmConfig>("Rendle 2010, Factorization Machines"),
    entry::<ctr_deepfm::DeepFmConfig>("Guo et al. 2017, arXiv 1703.04247"),
    entry::<ctr_din::DinConfig>("Zhou et al. 2018, arXiv 1706.06978"),
    entry::<ctr_dcn::DcnConfig>("Wang et al. 2017, arXiv 1708.05123; Wang et al. 2021, arXiv 2008.13535"),
];

const fn entry<C: ModelConfig>(source: &'static str) -> Entry {
    Entry { name: C::NAME, source, build: build_as::<C>, resolve: resolve_as::<C> }
}

fn read<C: ModelConfig>(settings: Table) -> Result<C> {
    C::deserialize(settings).map_err(|error| anyhow!("{}", error.to_string().trim_end()))
}

fn build_as<C: ModelConfig>(settings: Table, input: &ModelInput) -> Result<Box<dyn CtrModel>> {
    read::<C>(settings)?.build(input).map_err(|message| anyhow!(message))
}

fn resolve_as<C: ModelConfig>(settings: Table, smallest: &ModelInput) -> Result<Table> {
    let config = read::<C>(settings)?;
    config.build(smallest).map_err(|message| anyhow!(message))?;
    Ok(Table::try_from(config)?)
}

/// The settings of the model `name` with every default filled in.
pub fn resolve(name: &str, mut settings: Table, history_length: usize) -> Result<Table> {
    let in_a_file_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || !name.chars().all(in_a_file_name) {
        bail!("models lists `{name}`; use letters, digits, - and _ only, since files are named after it");
    }
    let entry = find(name, &settings)?;
    // The structure of one field and row is enough to have every value checked before data are loaded.
    let smallest = ModelInput { fields: 1, item_field: 0, table_rows: 1, history_length };
    settings.remove("kind");
    let mut resolved =
        (entry.resolve)(settings, &smallest).map_err(|error| error.context(format!("[model.{name}]")))?;
    resolved.insert("kind".into(), Value::String(entry.name.into()));
    Ok(resolved)
}

/// Builds the model `name` from resolved settings.
pub fn build(name: &str, settings: &Table, input: &ModelInput) -> Result<Box<dyn CtrModel>> {
    let entry = find(name, settings)?;
    let mut settings = settings.clone();
    settings.remove("kind");
    (entry.build)(settings, input).map_err(|error| error.context(format!("[model.{name}]")))
}

fn find(name: &str, settings: &Table) -> Result<&'static Entry> {
    let kind = match settings.get("kind") {
        None => name,
        Some(Value::String(kind)) => kind,
        Some(other) => bail!("[model.{name}] kind is {other}; it must be a string"),
    };
    let known = || MODELS.iter().map(|entry| entry.name).collect::<Vec<_>>().join(", ");
    MODELS.iter().find(|entry| entry.name == kind).ok_or_else(|| {
        anyhow!("model `{kind}` is not known; use one of {}, or set kind in [model.{name}] to one of them", known())
    })
}

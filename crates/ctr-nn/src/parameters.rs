//! The parameters of a model: what a model declares, and their values in the cloud.

use crate::{Initializer, seed::seeded_rng};
use candle_core::{Device, Result, Tensor, Var, bail};
use std::collections::BTreeMap;

/// How a parameter is stored and copied for a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `[table_rows, dim]`, read by id; a user's copy holds only the rows that its samples touch.
    Table,
    /// Copied whole.
    Dense,
    /// Copied whole and never trained by gradient (running statistics).
    Buffer,
}

/// Which part of a model a parameter belongs to, for scoped fine-tuning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Tables.
    Embedding,
    /// Hidden layers.
    Body,
    /// Weights of the output layer.
    Head,
    /// The constant added to the logit.
    OutputBias,
}

/// A parameter as a model declares it.
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterSpec {
    /// Unique within the model, dotted (`mlp.0.weight`).
    pub name: String,
    /// Storage.
    pub kind: Kind,
    /// Part of the model.
    pub group: Group,
    /// Shape without the replica axis.
    pub shape: Vec<usize>,
    /// Initial values.
    pub initializer: Initializer,
}

impl ParameterSpec {
    /// The constant added to every logit, `bias`, starting at 0. Every model has exactly this one, so that the scope
    /// `bias` means the same everywhere.
    pub fn output_bias() -> Self {
        Self {
            name: "bias".into(),
            kind: Kind::Dense,
            group: Group::OutputBias,
            shape: vec![1],
            initializer: Initializer::Constant(0.0),
        }
    }

    /// A table of one row per id, `[table_rows, dim]`.
    pub fn table(name: &str, table_rows: usize, dim: usize, initializer: Initializer) -> Self {
        Self {
            name: name.into(),
            kind: Kind::Table,
            group: Group::Embedding,
            shape: vec![table_rows, dim],
            initializer,
        }
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it holds no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The cloud model's values: tables `[table_rows, dim]`, everything else `[1, shape…]`.
#[derive(Debug)]
pub struct Parameters {
    specs: Vec<ParameterSpec>,
    values: BTreeMap<String, Var>,
}

impl Parameters {
    /// Draws initial values. Each parameter has its own random stream, so adding one leaves the others as they were.
    ///
    /// # Errors
    /// If two parameters share a name or memory runs out.
    pub fn initialize(mut specs: Vec<ParameterSpec>, seed: u64, device: &Device) -> Result<Self> {
        specs.sort_by(|a, b| a.name.cmp(&b.name));
        let mut values = BTreeMap::new();
        for spec in &specs {
            let mut rng = seeded_rng(seed, &spec.name, 0);
            let value = spec.initializer.draw(&stored_shape(spec), &mut rng, device)?;
            if values.insert(spec.name.clone(), Var::from_tensor(&value)?).is_some() {
                bail!("two parameters are named `{}`", spec.name);
            }
        }
        Ok(Self { specs, values })
    }

    /// What was declared, sorted by name.
    pub fn specs(&self) -> &[ParameterSpec] {
        &self.specs
    }

    /// The values of one parameter.
    ///
    /// # Errors
    /// If there is none of this name.
    pub fn get(&self, name: &str) -> Result<&Var> {
        match self.values.get(name) {
            Some(value) => Ok(value),
            None => bail!("no parameter named `{name}`"),
        }
    }

    /// Number of values over all parameters that are trained.
    pub fn count(&self) -> u64 {
        self.specs.iter().filter(|spec| spec.kind != Kind::Buffer).map(|spec| spec.len() as u64).sum()
    }

    /// A copy of all values, by name.
    ///
    /// # Errors
    /// If memory runs out.
    pub fn snapshot(&self) -> Result<BTreeMap<String, Tensor>> {
        self.values.iter().map(|(name, value)| Ok((name.clone(), value.as_tensor().copy()?))).collect()
    }

    /// Sets all values from a snapshot.
    ///
    /// # Errors
    /// If a parameter is missing, left over, or of another shape.
    pub fn restore(&self, snapshot: &BTreeMap<String, Tensor>) -> Result<()> {
        if let Some(name) = snapshot.keys().find(|name| !self.values.contains_key(*name)) {
            bail!("the checkpoint holds `{name}`, which this model does not have");
        }
        for (name, value) in &self.values {
            match snapshot.get(name) {
                Some(saved) if saved.shape() == value.shape() => value.set(&saved.to_device(value.device())?)?,
                Some(saved) => bail!("`{name}` is {:?} in the checkpoint and {:?} here", saved.shape(), value.shape()),
                None => bail!("the checkpoint lacks `{name}`"),
            }
        }
        Ok(())
    }
}

fn stored_shape(spec: &ParameterSpec) -> Vec<usize> {
    match spec.kind {
        Kind::Table => spec.shape.clone(),
        Kind::Dense | Kind::Buffer => [&[1], spec.shape.as_slice()].concat(),
    }
}

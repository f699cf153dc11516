//! The tensors that one forward pass reads its parameters from.

use candle_core::{Result, Tensor, bail};
use std::collections::BTreeMap;

/// Parameters by name, each with the replica axis in front: tables `[R * N, dim]` (replica `r` owns the rows
/// `r * N .. (r + 1) * N`), everything else `[R, shape…]`.
#[derive(Debug, Clone, Default)]
pub struct Leaves(BTreeMap<String, Tensor>);

impl Leaves {
    /// Adds or replaces a parameter.
    pub fn insert(&mut self, name: impl Into<String>, tensor: Tensor) {
        self.0.insert(name.into(), tensor);
    }

    /// The parameter of this name.
    ///
    /// # Errors
    /// If there is none.
    pub fn get(&self, name: &str) -> Result<&Tensor> {
        match self.0.get(name) {
            Some(tensor) => Ok(tensor),
            None => bail!("no parameter named `{name}` among {:?}", self.0.keys().collect::<Vec<_>>()),
        }
    }

    /// All parameters in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.0.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }
}

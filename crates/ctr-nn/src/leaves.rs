//! The tensors that one forward pass reads its parameters from.

use crate::DirectGradients;
use candle_core::{Result, Tensor, bail};
use std::collections::BTreeMap;

/// Parameters by name, each with the replica axis in front: tables `[R * N, dim]` (replica `r` owns the rows
/// `r * N .. (r + 1) * N`), everything else `[R, shape…]`.
#[derive(Debug, Clone, Default)]
pub struct Leaves {
    by_name: BTreeMap<String, Tensor>,
    direct: Option<DirectGradients>,
}

impl Leaves {
    /// Adds or replaces a parameter.
    pub fn insert(&mut self, name: impl Into<String>, tensor: Tensor) {
        self.by_name.insert(name.into(), tensor);
    }

    /// The parameter of this name.
    ///
    /// # Errors
    /// If there is none.
    pub fn get(&self, name: &str) -> Result<&Tensor> {
        match self.by_name.get(name) {
            Some(tensor) => Ok(tensor),
            None => bail!("no parameter named `{name}` among {:?}", self.by_name.keys().collect::<Vec<_>>()),
        }
    }

    /// All parameters in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.by_name.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// Lets layers compute gradients themselves and leave them here, beside candle's `GradStore`.
    /// Who asks for that must add up what is in both.
    pub fn collect_gradients(&mut self, direct: DirectGradients) {
        self.direct = Some(direct);
    }

    /// Where layers may leave gradients, if anyone asked.
    pub(crate) fn direct_gradients(&self) -> Option<&DirectGradients> {
        self.direct.as_ref()
    }
}

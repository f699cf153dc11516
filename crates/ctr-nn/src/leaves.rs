//! The tensors that one forward pass reads its parameters from.

use crate::ops::{self, Backward};
use crate::{Batch, DetachedParameter, DirectGradients, TableLookUps};
use candle_core::{Result, Tensor, bail};
use std::{collections::BTreeMap, ops::Range};

/// Parameters by name, each with the replica axis in front: tables `[R * N, dim]` (replica `r` owns the rows
/// `r * N .. (r + 1) * N`), everything else `[R, shape…]`.
#[derive(Debug, Clone, Default)]
pub struct Leaves {
    by_name: BTreeMap<String, Leaf>,
    direct: Option<DirectGradients>,
    lookups: Option<TableLookUps>,
}

#[derive(Debug, Clone)]
struct Leaf {
    tensor: Tensor,
    /// The same out of the graph, made once: a step asks for it in every layer.
    detached: Tensor,
    /// Whether it is a variable or a part of one.
    is_trained: bool,
}

impl Leaves {
    /// Adds or replaces a parameter.
    pub fn insert(&mut self, name: impl Into<String>, tensor: Tensor) {
        let is_trained = tensor.is_variable();
        self.insert_leaf(name.into(), tensor, is_trained);
    }

    fn insert_leaf(&mut self, name: String, tensor: Tensor, is_trained: bool) {
        let detached = tensor.detach();
        self.by_name.insert(name, Leaf { tensor, detached, is_trained });
    }

    fn leaf(&self, name: &str) -> Result<&Leaf> {
        match self.by_name.get(name) {
            Some(leaf) => Ok(leaf),
            None => bail!("no parameter named `{name}` among {:?}", self.by_name.keys().collect::<Vec<_>>()),
        }
    }

    /// The parameter of this name.
    ///
    /// # Errors
    /// If there is none.
    pub fn get(&self, name: &str) -> Result<&Tensor> {
        Ok(&self.leaf(name)?.tensor)
    }

    /// The parameter of this name out of the graph.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) fn value(&self, name: &str) -> Result<&Tensor> {
        Ok(&self.leaf(name)?.detached)
    }

    /// The parameter of this name out of the graph, for a node that computes its gradient itself.
    ///
    /// # Errors
    /// If there is none, or it is not contiguous.
    pub fn detached(&self, name: &str) -> Result<DetachedParameter> {
        let leaf = self.leaf(name)?;
        DetachedParameter::new(name, &leaf.detached, leaf.is_trained)
    }

    /// Some replicas of all `of` that these leaves hold. The values are shared: who changes them in place changes these leaves'.
    ///
    /// # Errors
    /// If there are not that many replicas.
    pub fn replicas(&self, range: Range<usize>, of: usize) -> Result<Self> {
        let mut part = Self { direct: self.direct.clone(), lookups: self.lookups.clone(), ..Self::default() };
        for (name, leaf) in &self.by_name {
            let each = leaf.tensor.dim(0)? / of;
            let own = leaf.tensor.narrow(0, range.start * each, range.len() * each)?;
            part.insert_leaf(name.clone(), own, leaf.is_trained);
        }
        Ok(part)
    }

    /// All parameters in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.by_name.iter().map(|(name, leaf)| (name.as_str(), &leaf.tensor))
    }

    /// Lets layers compute gradients themselves and leave them here, beside candle's `GradStore`.
    /// Who asks for that must add up what is in both.
    pub fn collect_gradients(&mut self, direct: DirectGradients) {
        self.direct = Some(direct);
    }

    /// Where layers may leave gradients, if anyone asked.
    pub fn direct_gradients(&self) -> Option<&DirectGradients> {
        self.direct.as_ref()
    }

    /// Keeps the tables out of the graph: look-ups leave their gradients here, one row each.
    pub fn collect_lookups(&mut self, lookups: TableLookUps) {
        self.lookups = Some(lookups);
    }

    /// Who takes the gradients of look-ups, if anyone asked.
    pub(crate) fn table_lookups(&self) -> Option<&TableLookUps> {
        self.lookups.as_ref()
    }

    /// Rows of a table at `ids` (any shape, `u32`): `[ids.shape…, dim]`. [`crate::PADDING_ROW`] yields zeros.
    ///
    /// # Errors
    /// If there is no such table or an id is out of range; on a CUDA device, where looking would be waiting, such an id yields NaN.
    pub fn gather(&self, table: &str, ids: &Tensor) -> Result<Tensor> {
        let values = self.get(table)?;
        match &self.lookups {
            Some(lookups) => lookups.gather(table, values, ids),
            None => ops::gather_rows(values, ids),
        }
    }

    /// Embeddings of a batch's fields, `[R, B, fields, dim]`; of a field with several values, their mean.
    ///
    /// # Errors
    /// If there is no such table or an id is out of range.
    pub fn field_embeddings(&self, table: &str, batch: &Batch) -> Result<Tensor> {
        let lookups = self.gather(table, &batch.ids)?;
        match &batch.means {
            Some(means) => ops::field_means(&lookups, means),
            None => Ok(lookups),
        }
    }

    /// What `compute` makes of the embeddings of a batch's fields, as one node of the graph: the embeddings are no node of
    /// their own. `compute` gets them without a graph, `[R, B, fields, dim]`, and returns a value with its backward.
    ///
    /// Nothing where the table has no gradient or the device has no kernels (Metal).
    ///
    /// # Errors
    /// If there is no such table, an id is out of range, or `compute` fails.
    pub fn over_field_embeddings(
        &self,
        table: &str,
        batch: &Batch,
        compute: impl FnOnce(&Tensor) -> Result<(Tensor, Backward)>,
    ) -> Result<Option<Tensor>> {
        let Some(means) = batch.means.clone() else { return self.over_gathered(table, &batch.ids, compute) };
        self.over_gathered(table, &batch.ids, |lookups| {
            let (value, backward) = compute(&ops::field_means(lookups, &means)?)?;
            Ok((value, Box::new(move |grad: &Tensor| ops::field_means_grad(&backward(grad)?, &means))))
        })
    }

    /// The same for the rows of a table at `ids` (any shape), `[ids.shape…, dim]`.
    fn over_gathered(
        &self,
        table: &str,
        ids: &Tensor,
        compute: impl FnOnce(&Tensor) -> Result<(Tensor, Backward)>,
    ) -> Result<Option<Tensor>> {
        let values = self.get(table)?;
        match &self.lookups {
            Some(lookups) if ops::has_kernels(values.device()) => {
                lookups.over_gathered(table, values, ids, compute).map(Some)
            }
            _ => ops::over_gathered_rows(values, ids, compute),
        }
    }

    /// For every sample the sum of its fields' weights in a table of one column, `[R, B]`; a field with several values adds
    /// the mean of theirs.
    ///
    /// # Errors
    /// If there is no such table, it has more columns, or an id is out of range.
    pub fn sum_of_fields(&self, table: &str, batch: &Batch) -> Result<Tensor> {
        let at_once = self.over_field_embeddings(table, batch, |weights| {
            let fields = weights.dim(2)?;
            Ok((ops::sum_fields(weights)?, Box::new(move |grad: &Tensor| ops::repeat_fields(grad, fields))))
        })?;
        match at_once {
            Some(sums) => Ok(sums),
            // Where look-ups are collected without kernels (Metal), the table is out of the graph and its rows are not.
            None if batch.means.is_some() || self.lookups.is_some() || self.get(table)?.track_op() => {
                ops::sum_fields(&self.field_embeddings(table, batch)?)
            }
            None => ops::sum_of_rows(self.get(table)?, &batch.ids),
        }
    }
}

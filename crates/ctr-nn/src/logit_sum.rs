//! A logit that is a sum of terms over look-ups, as one node of candle's graph.

use crate::ops::{self, Backward};
use crate::{Batch, DetachedParameter, DirectGradients, Leaves, TableLookUps};
use candle_core::{Result, Tensor};

/// From the gradient of the logit to gradients that are left where they are collected.
type TermBackward = Box<dyn Fn(&Tensor) -> Result<()> + Send + Sync>;

/// Terms `[R, B]` that are added up without a graph. candle's backward pays two passes for every edge of a graph; this is one
/// node, whatever the number of terms.
pub struct LogitSum<'a> {
    leaves: &'a Leaves,
    batch: &'a Batch,
    direct: DirectGradients,
    lookups: TableLookUps,
    sum: Option<Tensor>,
    backwards: Vec<TermBackward>,
}

impl<'a> LogitSum<'a> {
    /// No terms yet. Nothing where the gradients of layers and look-ups are not collected, or the device has no kernels: then
    /// the same terms from plain operations are what runs.
    pub fn new(leaves: &'a Leaves, batch: &'a Batch) -> Option<Self> {
        let (direct, lookups) = (leaves.direct_gradients()?.clone(), leaves.table_lookups()?.clone());
        ops::has_kernels(batch.ids.device()).then(|| Self {
            leaves,
            batch,
            direct,
            lookups,
            sum: None,
            backwards: Vec::new(),
        })
    }

    /// Adds what `compute` makes of the embeddings of the batch's fields in a table: it gets them without a graph,
    /// `[R, B, fields, dim]`, and returns a value `[R, B]` with its backward.
    ///
    /// # Errors
    /// If there is no such table, an id is out of range, or `compute` fails.
    pub fn add(mut self, table: &str, compute: impl FnOnce(&Tensor) -> Result<(Tensor, Backward)>) -> Result<Self> {
        let embeddings = ops::gather_rows(self.leaves.value(table)?, &self.batch.ids)?;
        let means = self.batch.means.clone();
        let embeddings = match &means {
            Some(means) => ops::field_means(&embeddings, means)?,
            None => embeddings,
        };
        let (value, backward) = compute(&embeddings)?;
        self.add_term(value)?;
        let (lookups, table, ids) = (self.lookups.clone(), table.to_owned(), self.batch.ids.clone());
        self.backwards.push(Box::new(move |grad| {
            let of_fields = backward(grad)?;
            let of_lookups = match &means {
                Some(means) => ops::field_means_grad(&of_fields, means)?,
                None => of_fields,
            };
            lookups.leave(&table, &ids, of_lookups);
            Ok(())
        }));
        Ok(self)
    }

    /// Adds the sum of the batch's fields in a table of one column.
    ///
    /// # Errors
    /// If there is no such table, it has more columns, or an id is out of range.
    pub fn add_fields(mut self, table: &str) -> Result<Self> {
        if self.batch.means.is_some() {
            return self.add(table, |weights| {
                let fields = weights.dim(2)?;
                Ok((ops::sum_fields(weights)?, Box::new(move |grad: &Tensor| ops::repeat_fields(grad, fields))))
            });
        }
        self.add_term(ops::sum_of_rows(self.leaves.value(table)?, &self.batch.ids)?)?;
        let (lookups, table, ids) = (self.lookups.clone(), table.to_owned(), self.batch.ids.clone());
        let fields = ids.dim(2)?;
        self.backwards.push(Box::new(move |grad| {
            lookups.leave(&table, &ids, ops::repeat_fields(grad, fields)?);
            Ok(())
        }));
        Ok(self)
    }

    fn add_term(&mut self, term: Tensor) -> Result<()> {
        self.sum = Some(match self.sum.take() {
            Some(sum) => (sum + term)?,
            None => term,
        });
        Ok(())
    }

    /// The sum plus a parameter of one value, as a node of the graph.
    ///
    /// # Errors
    /// If there is no such parameter, or there are no terms.
    pub fn with_bias(self, name: &str) -> Result<Tensor> {
        let bias = self.leaves.detached(name)?;
        let Some(sum) = self.sum else { candle_core::bail!("a logit without terms") };
        let logit = sum.broadcast_add(bias.value())?;
        let Self { direct, lookups, backwards, .. } = self;
        let backward = move |grad: &Tensor| {
            // Of all terms before the bias may take its step, in the order of their making.
            backwards.iter().try_for_each(|backward| backward(grad))?;
            bias_gradient(&direct, &bias, grad)?;
            Ok(None)
        };
        ops::precomputed(lookups.anchor(), logit, Box::new(backward))
    }
}

fn bias_gradient(direct: &DirectGradients, bias: &DetachedParameter, grad: &Tensor) -> Result<()> {
    if bias.is_trained() { direct.add(bias, grad.sum_keepdim(1)?) } else { Ok(()) }
}

//! Gradients of one batch, computed by shards and added in shard order.
//!
//! The number of shards is part of the configuration, so the sums are the same at any number of threads.

use crate::batches::EpochBatches;
use candle_core::{Device, Result, Tensor, bail};
use ctr_nn::{
    Context, CtrModel, DirectGradients, Kind, Leaves, NormStatistics, Parameters, RowGradients, TableLookUps,
    bce_with_logits, seeded_rng,
};
use rayon::prelude::*;
use std::{collections::BTreeMap, ops::Range};

/// What one batch, or a shard of it, says about every parameter.
pub(crate) struct BatchGradients {
    /// Mean loss over the batch; a shard's share of it.
    pub loss: Tensor,
    /// Gradients of dense parameters by name, `[1, shape…]`.
    pub dense: BTreeMap<String, Tensor>,
    /// Gradients of tables by name, shard by shard.
    pub tables: BTreeMap<String, RowGradients>,
    /// Batch statistics of normalisation layers, shard by shard.
    pub norm_statistics: Vec<NormStatistics>,
}

/// What stays the same from batch to batch.
pub(crate) struct GradientJob<'a> {
    pub model: &'a dyn CtrModel,
    pub parameters: &'a Parameters,
    pub device: &'a Device,
    pub shards: usize,
    pub seed: u64,
}

impl GradientJob<'_> {
    /// The gradients of the mean loss over the samples at `places` of the epoch; `step` keys the dropout masks.
    pub fn run(&self, epoch: &EpochBatches, places: Range<usize>, step: u64) -> Result<BatchGradients> {
        let shard_len = places.len().div_ceil(self.pieces());
        let shard = |shard: usize| {
            let begin = places.start + shard * shard_len;
            let end = places.end.min(begin + shard_len);
            self.shard(epoch, begin..end, places.len(), step * self.shards as u64 + shard as u64)
        };
        let pieces = 0..places.len().div_ceil(shard_len.max(1));
        let shards: Result<Vec<BatchGradients>> = if self.device.is_cpu() {
            pieces.into_par_iter().map(shard).collect()
        } else {
            pieces.map(shard).collect()
        };
        let mut shards = shards?.into_iter();
        let Some(first) = shards.next() else { bail!("a batch without samples") };
        shards.try_fold(first, BatchGradients::add)
    }

    /// Pieces of a batch. A GPU works on all of it at once, unless layers look at their own piece's statistics: that is another
    /// training rule, which no device may change.
    fn pieces(&self) -> usize {
        let sees_statistics = self.parameters.specs().iter().any(|spec| spec.kind == Kind::Buffer);
        if self.device.is_cpu() || sees_statistics { self.shards } else { 1 }
    }

    fn shard(
        &self,
        epoch: &EpochBatches,
        places: Range<usize>,
        batch_len: usize,
        stream: u64,
    ) -> Result<BatchGradients> {
        let samples = places.len();
        let (batch, labels) = epoch.batch(places)?;
        let mut leaves = Leaves::default();
        let mut trained = Vec::new();
        for spec in self.parameters.specs() {
            let value = self.parameters.get(&spec.name)?;
            match spec.kind {
                Kind::Dense => {
                    leaves.insert(&spec.name, value.as_tensor().clone());
                    trained.push((&spec.name, value));
                }
                Kind::Table | Kind::Buffer => leaves.insert(&spec.name, value.as_detached_tensor()),
            }
        }
        let weights = Tensor::full(1.0 / batch_len as f32, (1, samples), self.device)?;

        let (direct, lookups) = (DirectGradients::default(), TableLookUps::new(self.device)?);
        leaves.collect_gradients(direct.clone());
        leaves.collect_lookups(lookups.clone());
        let mut context = Context::training(seeded_rng(self.seed, "dropout", stream));
        let logits = self.model.forward(&leaves, &batch, &mut context)?;
        let loss = bce_with_logits(&logits, &labels, &weights)?.sum_all()?;
        let mut grads = loss.backward()?;
        let mut dense = direct.take();
        for (name, value) in trained {
            if let Some(grad) = grads.remove(value) {
                let sum = dense.remove(name).map_or(Ok(grad.clone()), |direct| direct + &grad)?;
                dense.insert(name.clone(), sum);
            }
        }
        let tables = lookups.take(&mut grads);
        Ok(BatchGradients { loss: loss.detach(), dense, tables, norm_statistics: context.norm_statistics })
    }
}

impl BatchGradients {
    /// Adds those of the next shard.
    fn add(mut self, next: Self) -> Result<Self> {
        self.loss = (self.loss + next.loss)?;
        for (name, grad) in next.dense {
            let sum = match self.dense.remove(&name) {
                Some(sum) => (sum + grad)?,
                None => grad,
            };
            self.dense.insert(name, sum);
        }
        for (name, grads) in next.tables {
            self.tables.entry(name).or_default().append(grads);
        }
        self.norm_statistics.extend(next.norm_statistics);
        Ok(self)
    }
}

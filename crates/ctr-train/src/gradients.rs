//! Gradients of one batch, computed by shards and added in shard order.
//!
//! The number of shards is part of the configuration, so the sums are the same at any number of threads.

use crate::{RowMap, RowMapPool, batches::build_batch};
use candle_core::{Device, Result, Tensor};
use ctr_data::Dataset;
use ctr_nn::{
    Context, CtrModel, DirectGradients, Kind, Leaves, NormStatistics, Parameters, bce_with_logits,
    gather_rows_as_variable, seeded_rng, sum_scattered_rows,
};
use rayon::prelude::*;
use std::{collections::BTreeMap, sync::Arc};

/// What one batch says about every parameter.
pub(crate) struct BatchGradients {
    /// Mean loss over the batch.
    pub loss: f32,
    /// Gradient by parameter: `[1, shape…]` for dense ones, `[rows.len(), dim]` for tables.
    pub by_name: BTreeMap<String, Tensor>,
    /// The table rows that the batch touches, one per gradient row.
    pub rows: Arc<[u32]>,
    /// Batch statistics of normalisation layers, shard by shard.
    pub norm_statistics: Vec<NormStatistics>,
}

struct ShardGradients {
    loss: f32,
    by_name: BTreeMap<String, Tensor>,
    rows: Vec<u32>,
    norm_statistics: Vec<NormStatistics>,
}

/// What stays the same from batch to batch.
pub(crate) struct GradientJob<'a> {
    pub model: &'a dyn CtrModel,
    pub parameters: &'a Parameters,
    pub dataset: &'a Dataset,
    pub device: &'a Device,
    pub row_maps: &'a RowMapPool,
    pub shards: usize,
    pub seed: u64,
}

impl GradientJob<'_> {
    /// The gradients of the mean loss over `samples`; `step` keys the dropout masks.
    pub fn run(&self, samples: &[u32], step: u64) -> Result<BatchGradients> {
        let shards: Result<Vec<ShardGradients>> = samples
            .par_chunks(samples.len().div_ceil(self.shards))
            .enumerate()
            .map(|(shard, part)| self.shard(part, samples.len(), step * self.shards as u64 + shard as u64))
            .collect();
        self.row_maps.with(|map| self.merge(shards?, map))
    }

    fn shard(&self, samples: &[u32], batch_len: usize, stream: u64) -> Result<ShardGradients> {
        let (batch, rows) = self.row_maps.with(|map| -> Result<_> {
            let batch =
                build_batch(self.dataset, samples, self.model.uses_history(), self.device, |id| map.leaf_row(id))?;
            Ok((batch, map.rows().to_vec()))
        })?;
        let row_ids = Tensor::from_slice(&rows, rows.len(), self.device)?;
        let mut leaves = Leaves::default();
        let mut trained = Vec::new();
        for spec in self.parameters.specs() {
            let value = self.parameters.get(&spec.name)?;
            let leaf = match spec.kind {
                Kind::Table => gather_rows_as_variable(value.as_tensor(), &row_ids)?,
                Kind::Dense => value.clone(),
                Kind::Buffer => {
                    leaves.insert(&spec.name, value.as_detached_tensor());
                    continue;
                }
            };
            leaves.insert(&spec.name, leaf.as_tensor().clone());
            trained.push((spec.name.clone(), leaf));
        }
        let labels: Vec<f32> = samples.iter().map(|&i| f32::from(self.dataset.samples.label[i as usize])).collect();
        let labels = Tensor::from_vec(labels, (1, samples.len()), self.device)?;
        let weights = Tensor::full(1.0 / batch_len as f32, (1, samples.len()), self.device)?;

        let direct = DirectGradients::default();
        leaves.collect_gradients(direct.clone());
        let mut context = Context::training(seeded_rng(self.seed, "dropout", stream));
        let logits = self.model.forward(&leaves, &batch, &mut context)?;
        let loss = bce_with_logits(&logits, &labels, &weights)?.sum_all()?;
        let mut grads = loss.backward()?;
        let mut by_name = direct.take();
        for (name, leaf) in trained {
            if let Some(grad) = grads.remove(&leaf) {
                let sum = by_name.remove(&name).map_or(Ok(grad.clone()), |direct| direct + &grad)?;
                by_name.insert(name, sum);
            }
        }
        Ok(ShardGradients { loss: loss.to_scalar()?, by_name, rows, norm_statistics: context.norm_statistics })
    }

    fn merge(&self, shards: Vec<ShardGradients>, map: &mut RowMap) -> Result<BatchGradients> {
        let leaf_rows: Vec<u32> = shards.iter().flat_map(|shard| &shard.rows).map(|&id| map.leaf_row(id)).collect();
        let mut rest = leaf_rows.as_slice();
        let rows_of_shards: Vec<&[u32]> = shards.iter().map(|shard| take(&mut rest, shard.rows.len())).collect();
        let mut by_name = BTreeMap::new();
        for spec in self.parameters.specs().iter().filter(|spec| spec.kind != Kind::Buffer) {
            let parts = shards.iter().zip(&rows_of_shards);
            let parts: Vec<(&Tensor, &[u32])> =
                parts.filter_map(|(shard, rows)| Some((shard.by_name.get(&spec.name)?, *rows))).collect();
            let Some(((first, _), rest)) = parts.split_first() else { continue };
            let sum = match spec.kind {
                Kind::Table => sum_scattered_rows(&parts, map.rows().len())?,
                _ => rest.iter().try_fold((*first).clone(), |sum, (part, _)| sum + *part)?,
            };
            by_name.insert(spec.name.clone(), sum);
        }
        Ok(BatchGradients {
            loss: shards.iter().map(|shard| shard.loss).sum(),
            by_name,
            rows: map.rows().into(),
            norm_statistics: shards.into_iter().flat_map(|shard| shard.norm_statistics).collect(),
        })
    }
}

/// The first `len` values of `rest`, which then starts behind them.
fn take<'a>(rest: &mut &'a [u32], len: usize) -> &'a [u32] {
    let (head, tail) = rest.split_at(len);
    *rest = tail;
    head
}

//! One pass forward and backward.

use candle_core::{Device, Result, Tensor, Var};
use ctr_nn::{
    Batch, Context, CtrModel, DirectGradients, Kind, Leaves, ParameterSpec, RowOrder, TableLookUps, bce_with_logits,
};
use std::collections::BTreeMap;

/// What one pass gives.
pub(crate) struct Pass {
    /// `[R, B]`.
    pub logits: Tensor,
    /// `[R]`.
    pub losses: Tensor,
    /// Of the summed losses, by the name of every parameter that is trained.
    pub gradients: BTreeMap<String, Tensor>,
}

/// A variable per parameter from the values of its replicas: tables `[R * rows, dim]`, everything else `[R, shape…]`.
pub(crate) fn variables(
    specs: &[ParameterSpec],
    replicas: &[usize],
    values: impl Fn(&ParameterSpec, usize) -> Vec<f32>,
) -> Result<BTreeMap<String, Var>> {
    let variable = |spec: &ParameterSpec| -> Result<(String, Var)> {
        let all: Vec<f32> = replicas.iter().flat_map(|replica| values(spec, *replica)).collect();
        let mut shape = spec.shape.clone();
        match spec.kind {
            Kind::Table => shape[0] *= replicas.len(),
            Kind::Dense | Kind::Buffer => shape.insert(0, replicas.len()),
        }
        Ok((spec.name.clone(), Var::from_vec(all, shape, &Device::Cpu)?))
    };
    specs.iter().map(variable).collect()
}

/// Who computes gradients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gradients {
    /// candle's graph alone.
    Graph,
    /// Layers may compute their own.
    Layers,
    /// As in training: layers their own, and tables, which are out of the graph, one row for every look-up.
    LookUps,
}

/// Logits, losses and gradients under the given values.
pub(crate) fn pass(
    model: &dyn CtrModel,
    variables: &BTreeMap<String, Var>,
    batch: &Batch,
    (labels, weights): &(Tensor, Tensor),
    context: &mut Context,
    how: Gradients,
) -> Result<Pass> {
    let mut leaves = Leaves::default();
    let direct = DirectGradients::default();
    if how != Gradients::Graph {
        leaves.collect_gradients(direct.clone());
    }
    let lookups = TableLookUps::new(&Device::Cpu)?;
    if how == Gradients::LookUps {
        leaves.collect_lookups(lookups.clone());
    }
    for spec in model.parameters() {
        let variable = &variables[&spec.name];
        let in_graph = how != Gradients::LookUps || spec.kind != Kind::Table;
        let leaf = if in_graph { variable.as_tensor().clone() } else { variable.as_detached_tensor() };
        leaves.insert(&spec.name, leaf);
    }
    let logits = model.forward(&leaves, batch, context)?;
    let losses = bce_with_logits(&logits, labels, weights)?;
    let mut store = losses.sum_all()?.backward()?;
    let mut direct = direct.take();
    for (name, rows) in lookups.take(&mut store) {
        let dense = rows.to_dense(&RowOrder::new(&rows)?, variables[&name].dim(0)?)?;
        direct.insert(name, dense);
    }
    let trained = model.parameters().into_iter().filter(|spec| spec.kind != Kind::Buffer);
    let gradients = trained.map(|spec| {
        let gradient = match (store.get(&variables[&spec.name]), direct.get(&spec.name)) {
            (Some(of_graph), Some(of_layers)) => (of_graph + of_layers)?,
            (Some(gradient), None) | (None, Some(gradient)) => gradient.clone(),
            (None, None) => panic!("`{}` has no gradient", spec.name),
        };
        assert_eq!(gradient.shape(), variables[&spec.name].shape(), "gradient of `{}`", spec.name);
        Ok((spec.name, gradient))
    });
    Ok(Pass { logits, losses, gradients: gradients.collect::<Result<_>>()? })
}

/// Values of a tensor in row-major order.
pub(crate) fn values(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor.flatten_all()?.to_vec1()
}

//! One pass forward and backward.

use candle_core::{Device, Result, Tensor, Var};
use ctr_nn::{Batch, Context, CtrModel, DirectGradients, Kind, Leaves, ParameterSpec, bce_with_logits};
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

/// Logits, losses and gradients under the given values; with `collecting`, layers may compute gradients themselves.
pub(crate) fn pass(
    model: &dyn CtrModel,
    variables: &BTreeMap<String, Var>,
    batch: &Batch,
    (labels, weights): &(Tensor, Tensor),
    context: &mut Context,
    collecting: bool,
) -> Result<Pass> {
    let mut leaves = Leaves::default();
    let direct = DirectGradients::default();
    if collecting {
        leaves.collect_gradients(direct.clone());
    }
    for (name, variable) in variables {
        leaves.insert(name, variable.as_tensor().clone());
    }
    let logits = model.forward(&leaves, batch, context)?;
    let losses = bce_with_logits(&logits, labels, weights)?;
    let store = losses.sum_all()?.backward()?;
    let direct = direct.take();
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

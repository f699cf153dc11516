//! The cross layers.

use crate::Cross;
use candle_core::{Result, Tensor};
use ctr_nn::{
    Crossed, DetachedParameter, DirectGradients, Group, Initializer, Kind, Leaves, Linear, ParameterSpec, VectorCross,
};

/// A stack of cross layers named `cross.0`, `cross.1`, …
#[derive(Debug)]
pub(crate) struct CrossNetwork {
    pub kind: Cross,
    pub layers: usize,
    /// Width of `x_0`.
    pub features: usize,
    pub initializer: Initializer,
}

impl CrossNetwork {
    /// `cross.<l>.weight` (`[features, 1]`, or `[features, features]` for the matrix form) and `cross.<l>.bias`
    /// (`[features]`) of each layer.
    pub fn parameters(&self) -> Vec<ParameterSpec> {
        let spec = |part, layer, shape, initializer| ParameterSpec {
            name: name(layer, part),
            kind: Kind::Dense,
            group: Group::Body,
            shape,
            initializer,
        };
        let columns = match self.kind {
            Cross::Vector => 1,
            Cross::Matrix => self.features,
        };
        let layers = (0..self.layers).flat_map(|layer| {
            [
                spec("weight", layer, vec![self.features, columns], self.initializer),
                spec("bias", layer, vec![self.features], Initializer::Constant(0.0)),
            ]
        });
        layers.collect()
    }

    /// `x_L^T readout` (`[R, B]`), for `x_0` `[R, B, features]` and `readout` `[R, at least features, 1]`, whose first
    /// `features` rows count.
    pub fn logit(&self, x_0: &Tensor, readout: &Tensor, leaves: &Leaves) -> Result<Tensor> {
        let rows = readout.narrow(1, 0, self.features)?;
        match self.kind {
            Cross::Vector => {
                let [weights, biases] = self.parts(leaves)?;
                let cross = VectorCross { weights: &weights, biases: &biases, readout };
                if cross.is_out_of_graph(x_0) {
                    return Ok(cross.forward(x_0)?.logit);
                }
                self.vector_logit(x_0, &rows, leaves)
            }
            Cross::Matrix => self.matrix_logit(x_0, &rows, leaves),
        }
    }

    /// Weights and biases of the layers.
    fn parts(&self, leaves: &Leaves) -> Result<[Vec<Tensor>; 2]> {
        let part =
            |part| (0..self.layers).map(|layer| leaves.get(&name(layer, part)).cloned()).collect::<Result<Vec<_>>>();
        Ok([part("weight")?, part("bias")?])
    }

    /// The same for a node of the vector form that computes its own gradients: `x_0` is out of the graph.
    pub fn detached(&self, x_0: &Tensor, readout: &Tensor, leaves: &Leaves) -> Result<DetachedCross> {
        let part = |part| (0..self.layers).map(|layer| leaves.detached(&name(layer, part))).collect::<Result<Vec<_>>>();
        let (weights, biases) = (part("weight")?, part("bias")?);
        let values =
            |parameters: &[DetachedParameter]| parameters.iter().map(|p| p.value().clone()).collect::<Vec<_>>();
        let crossed = VectorCross { weights: &values(&weights), biases: &values(&biases), readout }.forward(x_0)?;
        Ok(DetachedCross { crossed, weights, biases })
    }

    /// Every `x_l` of the vector form is `scale_l x_0 + shift_l`, with one `scale_l` per sample and one `shift_l` for
    /// all of them: put into the recurrence it gives `scale_{l+1} = scale_l + scale_l (x_0^T w_l) + shift_l^T w_l` and
    /// `shift_{l+1} = shift_l + b_l`. So one product of `x_0` with all weights does what the layers would, and only
    /// numbers per sample pass from layer to layer.
    fn vector_logit(&self, x_0: &Tensor, readout: &Tensor, leaves: &Leaves) -> Result<Tensor> {
        let weight = |layer| leaves.get(&name(layer, "weight"));
        let mut columns = (0..self.layers).map(weight).collect::<Result<Vec<_>>>()?;
        columns.push(readout);
        // What candle concatenates along a later axis is not contiguous, which products on a GPU need.
        let projections = x_0.matmul(&Tensor::cat(&columns, 2)?.contiguous()?)?;
        let projection = |layer| projections.narrow(2, layer, 1)?.squeeze(2);

        let mut scale = projection(0)?.affine(1.0, 1.0)?;
        let mut shift = leaves.get(&name(0, "bias"))?.clone();
        for layer in 1..self.layers {
            scale = (&scale + scale.mul(&projection(layer)?)?)?.broadcast_add(&dot(&shift, weight(layer)?)?)?;
            shift = (shift + leaves.get(&name(layer, "bias"))?)?;
        }
        scale.mul(&projection(self.layers)?)?.broadcast_add(&dot(&shift, readout)?)
    }

    fn matrix_logit(&self, x_0: &Tensor, readout: &Tensor, leaves: &Leaves) -> Result<Tensor> {
        let mut x = x_0.clone();
        for layer in 0..self.layers {
            let linear = Linear {
                name: format!("cross.{layer}"),
                input: self.features,
                output: self.features,
                bias: true,
                group: Group::Body,
                initializer: self.initializer,
            };
            x = (x_0.mul(&linear.forward(&x, leaves)?)? + x)?;
        }
        x.matmul(&readout.contiguous()?)?.squeeze(2)
    }
}

/// The layers' result, and what their backward needs.
pub(crate) struct DetachedCross {
    pub crossed: Crossed,
    weights: Vec<DetachedParameter>,
    biases: Vec<DetachedParameter>,
}

impl DetachedCross {
    /// Adds the gradient of `x_0` to `sum`, leaves those of the layers with `direct`, and returns that of the readout's first
    /// rows, `[R, features, 1]`.
    pub fn backward(&self, grad: &Tensor, sum: &Tensor, direct: &DirectGradients) -> Result<Tensor> {
        let gradients = self.crossed.backward(grad, sum)?;
        let parameters = self.weights.iter().chain(&self.biases);
        for (parameter, gradient) in parameters.zip(gradients.weights.into_iter().chain(gradients.biases)) {
            direct.add(parameter, gradient)?;
        }
        Ok(gradients.readout)
    }
}

fn name(layer: usize, part: &str) -> String {
    format!("cross.{layer}.{part}")
}

/// `[R, features]` times `[R, features, 1]`, as `[R, 1]`.
fn dot(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    a.mul(&b.squeeze(2)?)?.sum_keepdim(1)
}

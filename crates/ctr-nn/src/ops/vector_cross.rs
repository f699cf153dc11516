//! The vector form of DCN's cross layers together with their readout, in one pass over each sample.
//!
//! With `x_{l+1} = x_0 (x_l^T w_l) + b_l + x_l` every `x_l` is `scale_l x_0 + shift_l`: one scale per sample and one shift for all
//! samples, from `scale_0 = 1`, `shift_0 = 0`, `scale_{l+1} = scale_l (1 + x_0^T w_l) + shift_l^T w_l` and
//! `shift_{l+1} = shift_l + b_l`. So a sample is read once, against all weights.

use super::{f32_slice, has_cpu_kernels, in_place};
use candle_core::{Result, Storage, Tensor, bail};

/// Parameters of the layers, out of the graph.
#[derive(Debug)]
pub struct VectorCross<'a> {
    /// `w_l`, `[R, features, 1]` each.
    pub weights: &'a [Tensor],
    /// `b_l`, `[R, features]` each.
    pub biases: &'a [Tensor],
    /// What the last `x_l` is multiplied with, `[R, at least features, 1]`; the first `features` rows count.
    pub readout: &'a Tensor,
}

/// The result of the layers, and what their backward needs.
#[derive(Debug)]
pub struct Crossed {
    /// `[R, B]`.
    pub logit: Tensor,
    x: Tensor,
    /// The weights and the readout, `[R, layers + 1, features]`.
    columns: Vec<f32>,
    /// `shift_l`, `[R, layers + 1, features]`.
    shifts: Vec<f32>,
    /// `x_0` times each column, `[R, B, layers + 1]`.
    projections: Vec<f32>,
    /// `scale_l`, `[R, B, layers + 1]`.
    scales: Vec<f32>,
}

/// Gradients of a [`VectorCross`], in the shapes of its parameters; of the readout the first `features` rows.
#[derive(Debug)]
pub struct CrossGradients {
    /// Of `w_l`.
    pub weights: Vec<Tensor>,
    /// Of `b_l`.
    pub biases: Vec<Tensor>,
    /// `[R, features, 1]`.
    pub readout: Tensor,
}

impl VectorCross<'_> {
    /// Whether nothing has a gradient and all is on the CPU, so that the layers may be computed without a graph.
    pub fn is_out_of_graph(&self, x: &Tensor) -> bool {
        let parameters = self.weights.iter().chain(self.biases).chain([self.readout]);
        has_cpu_kernels(x.device()) && !x.track_op() && !parameters.into_iter().any(Tensor::track_op)
    }

    /// `x_L^T readout` for `x_0` `[R, B, features]`, contiguous and on the CPU.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn forward(&self, x: &Tensor) -> Result<Crossed> {
        let (replicas, samples, features) = x.dims3()?;
        let (layers, width) = (self.weights.len(), self.weights.len() + 1);
        let mut columns = vec![0f32; replicas * width * features];
        let mut shifts = vec![0f32; replicas * width * features];
        let place = |replica: usize, layer: usize| (replica * width + layer) * features;
        for (layer, weight) in self.weights.iter().chain([self.readout]).enumerate() {
            with_values(weight, |values| {
                let rows = values.len() / replicas.max(1);
                if values.len() != replicas * rows || rows < features {
                    bail!("vector_cross: weights {:?} do not fit {:?}", weight.shape(), x.shape());
                }
                for replica in 0..replicas {
                    let own = &values[replica * rows..][..features];
                    columns[place(replica, layer)..][..features].copy_from_slice(own);
                }
                Ok(())
            })?;
        }
        for (layer, bias) in self.biases.iter().enumerate() {
            with_values(bias, |values| {
                if values.len() != replicas * features || layer >= layers {
                    bail!("vector_cross: a bias {:?} does not fit {:?}", bias.shape(), x.shape());
                }
                for replica in 0..replicas {
                    let (before, after) = shifts.split_at_mut(place(replica, layer + 1));
                    let before = &before[place(replica, layer)..];
                    let own = &values[replica * features..][..features];
                    for ((next, before), bias) in after[..features].iter_mut().zip(before).zip(own) {
                        *next = before + bias;
                    }
                }
                Ok(())
            })?;
        }
        let mut projections = Vec::with_capacity(replicas * samples * width);
        let mut scales = Vec::with_capacity(replicas * samples * width);
        let mut logits = Vec::with_capacity(replicas * samples);
        with_values(x, |x| {
            for replica in 0..replicas {
                let columns = &columns[place(replica, 0)..][..width * features];
                let shifts = &shifts[place(replica, 0)..][..width * features];
                let of_shifts: Vec<f32> =
                    columns.chunks_exact(features).zip(shifts.chunks_exact(features)).map(|(w, s)| dot(w, s)).collect();
                for x in x[replica * samples * features..][..samples * features].chunks_exact(features) {
                    let mut scale = 1.0;
                    for (layer, column) in columns.chunks_exact(features).enumerate() {
                        let projection = dot(x, column);
                        projections.push(projection);
                        scales.push(scale);
                        if layer < layers {
                            scale = scale * (1.0 + projection) + of_shifts[layer];
                        } else {
                            logits.push(scale * projection + of_shifts[layer]);
                        }
                    }
                }
            }
            Ok(())
        })?;
        let logit = Tensor::from_vec(logits, (replicas, samples), x.device())?;
        Ok(Crossed { logit, x: x.clone(), columns, shifts, projections, scales })
    }
}

impl Crossed {
    /// The gradients of the parameters from that of the logit (`[R, B]`); that of `x_0` is added to `sum` (`[R, B, features]`).
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn backward(&self, grad: &Tensor, sum: &Tensor) -> Result<CrossGradients> {
        let (replicas, samples, features) = self.x.dims3()?;
        if grad.dims() != [replicas, samples] || sum.dims() != self.x.dims() {
            bail!("vector_cross: gradients {:?} and {:?} do not fit {:?}", grad.shape(), sum.shape(), self.x.shape());
        }
        let width = self.columns.len() / (replicas * features).max(1);
        let layers = width - 1;
        let mut of_columns = vec![0f32; self.columns.len()];
        let mut of_biases = vec![0f32; replicas * layers * features];
        with_values(grad, |grad| {
            with_values(&self.x, |x| {
                in_place(sum, |sum| {
                    for replica in 0..replicas {
                        let (from, to) = (replica * samples, (replica + 1) * samples);
                        let (start, end) = (replica * width * features, (replica + 1) * width * features);
                        let totals = Samples {
                            x: &x[from * features..to * features],
                            columns: &self.columns[start..end],
                            projections: &self.projections[from * width..to * width],
                            scales: &self.scales[from * width..to * width],
                            features,
                        }
                        .backward(
                            &grad[from..to],
                            &mut sum[from * features..to * features],
                            &mut of_columns[start..end],
                        );
                        let shifts = &self.shifts[start..end];
                        let of_biases = &mut of_biases[replica * layers * features..][..layers * features];
                        for (layer, total) in totals.iter().enumerate() {
                            let own = layer * features..(layer + 1) * features;
                            add_scaled(&mut of_columns[start..end][own.clone()], *total, &shifts[own.clone()]);
                            // A shift is the sum of the biases before it.
                            for of_bias in of_biases.chunks_exact_mut(features).take(layer) {
                                add_scaled(of_bias, *total, &self.columns[start..end][own.clone()]);
                            }
                        }
                    }
                    Ok(())
                })
            })
        })?;
        let part = |values: &[f32], layer: usize, of: usize| -> Vec<f32> {
            values.chunks_exact(of * features).flat_map(|own| own[layer * features..][..features].to_vec()).collect()
        };
        let device = self.x.device();
        let column = |layer| Tensor::from_vec(part(&of_columns, layer, width), (replicas, features, 1), device);
        let bias = |layer| Tensor::from_vec(part(&of_biases, layer, layers), (replicas, features), device);
        Ok(CrossGradients {
            weights: (0..layers).map(column).collect::<Result<_>>()?,
            biases: (0..layers).map(bias).collect::<Result<_>>()?,
            readout: column(layers)?,
        })
    }
}

/// What the backward reads of one replica.
struct Samples<'a> {
    x: &'a [f32],
    columns: &'a [f32],
    projections: &'a [f32],
    scales: &'a [f32],
    features: usize,
}

impl Samples<'_> {
    /// Adds to the gradients of `x_0` and of the columns; returns those of `shift_l^T column_l`, summed over samples.
    fn backward(&self, grad: &[f32], sum: &mut [f32], of_columns: &mut [f32]) -> Vec<f32> {
        let width = self.columns.len() / self.features;
        let mut totals = vec![0f32; width];
        let mut of_projections = vec![0f32; width];
        let samples = self.x.chunks_exact(self.features).zip(sum.chunks_exact_mut(self.features));
        let saved = self.projections.chunks_exact(width).zip(self.scales.chunks_exact(width));
        for (((x, sum), (projections, scales)), grad) in samples.zip(saved).zip(grad) {
            let mut of_scale = *grad;
            for layer in (0..width).rev() {
                totals[layer] += of_scale;
                of_projections[layer] = of_scale * scales[layer];
                let factor = if layer + 1 == width { projections[layer] } else { 1.0 + projections[layer] };
                of_scale *= factor;
            }
            let columns = self.columns.chunks_exact(self.features).zip(of_columns.chunks_exact_mut(self.features));
            for ((column, of_column), &of_projection) in columns.zip(&of_projections) {
                add_scaled(sum, of_projection, column);
                add_scaled(of_column, of_projection, x);
            }
        }
        totals
    }
}

/// Values that are summed side by side, so that the sum is a vector operation.
const LANES: usize = 16;

fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a_lanes, a_rest), (b_lanes, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [0f32; LANES];
    for (a, b) in a_lanes.iter().zip(b_lanes) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

fn add_scaled(sum: &mut [f32], factor: f32, values: &[f32]) {
    sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += factor * value);
}

fn with_values<T>(tensor: &Tensor, work: impl FnOnce(&[f32]) -> Result<T>) -> Result<T> {
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => work(f32_slice("vector_cross", storage, layout)?),
        _ => bail!("vector_cross works on the CPU"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::wave;
    use candle_core::{DType, Var};

    /// The layers as they are defined.
    fn plain(x_0: &Tensor, weights: &[Var], biases: &[Var], readout: &Tensor) -> Result<Tensor> {
        let mut x = x_0.clone();
        for (weight, bias) in weights.iter().zip(biases) {
            let crossed = x_0.broadcast_mul(&x.matmul(weight)?)?;
            x = (crossed.broadcast_add(&bias.unsqueeze(1)?)? + x)?;
        }
        x.matmul(&readout.narrow(1, 0, x.dim(2)?)?.contiguous()?)?.squeeze(2)
    }

    /// In double precision, since both sides of the formula round.
    #[test]
    fn equals_the_layers_as_they_are_defined() -> Result<()> {
        let var = |shape: &[usize], pace: f32| Var::from_tensor(&wave(shape, pace)?.to_dtype(DType::F64)?);
        for (layers, features) in [(3, 19), (1, 32), (4, 5)] {
            let x = var(&[2, 6, features], 0.7)?;
            let weights = (0..layers).map(|l| var(&[2, features, 1], 0.3 + l as f32)).collect::<Result<Vec<_>>>()?;
            let biases = (0..layers).map(|l| var(&[2, features], 0.9 + l as f32)).collect::<Result<Vec<_>>>()?;
            let readout = var(&[2, features + 3, 1], 1.1)?;
            let slope = wave(&[2, 6], 0.4)?;

            let expected = plain(&x, &weights, &biases, &readout)?;
            let store = (&expected * &slope.to_dtype(DType::F64)?)?.sum_all()?.backward()?;
            let expected_grad = |var: &Var| store.get(var).expect("a gradient").clone();
            let close = |found: &Tensor, expected: &Tensor| -> Result<()> {
                let size = expected.abs()?.flatten_all()?.max(0)?.to_scalar::<f64>()?;
                assert_eq!(found.shape(), expected.shape());
                let difference = (found.to_dtype(DType::F64)? - expected)?.abs()?.flatten_all()?.max(0)?;
                let difference = difference.to_scalar::<f64>()?;
                assert!(difference <= 4e-6 * size, "{layers} layers: {difference} beside {size}");
                Ok(())
            };

            let single =
                |vars: &[Var]| vars.iter().map(|var| var.detach().to_dtype(DType::F32)).collect::<Result<Vec<_>>>();
            let (of_weights, of_biases) = (single(&weights)?, single(&biases)?);
            let (x_0, of_readout) = (x.detach().to_dtype(DType::F32)?, readout.detach().to_dtype(DType::F32)?);
            let cross = VectorCross { weights: &of_weights, biases: &of_biases, readout: &of_readout };
            assert!(cross.is_out_of_graph(&x_0) && !cross.is_out_of_graph(&x));
            let crossed = cross.forward(&x_0)?;
            close(&crossed.logit, &expected)?;
            let sum = x_0.ones_like()?;
            let gradients = crossed.backward(&slope, &sum)?;
            close(&sum, &(expected_grad(&x) + 1.0)?)?;
            let of_layers = gradients.weights.iter().zip(&gradients.biases);
            for ((weight, bias), (of_weight, of_bias)) in weights.iter().zip(&biases).zip(of_layers) {
                close(of_weight, &expected_grad(weight))?;
                close(of_bias, &expected_grad(bias))?;
            }
            close(&gradients.readout, &expected_grad(&readout).narrow(1, 0, features)?)?;
        }
        Ok(())
    }
}

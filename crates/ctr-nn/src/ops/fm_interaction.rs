//! The pairwise term of a factorization machine (Rendle 2010, equation 5).

use super::width::{for_width, width};
use super::{f32_slice, f32_slice_mut, has_cpu_kernels};
#[cfg(feature = "cuda")]
use crate::cuda;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, InplaceOp3, Layout, Result, Shape, Tensor, bail};
use multiversion::multiversion;

/// `1/2 * sum_d ((sum_f v)^2 - sum_f v^2)` of embeddings `[R, B, F, D]`: the sum of all pairwise dot products of
/// fields, `[R, B]`, in time linear in `F`.
///
/// # Errors
/// If the input is not of rank 4.
pub fn fm_interaction(embeddings: &Tensor) -> Result<Tensor> {
    if has_cpu_kernels(embeddings.device()) {
        return embeddings.contiguous()?.apply_op1(FmInteraction);
    }
    #[cfg(feature = "cuda")]
    if embeddings.device().is_cuda() {
        let v = embeddings.detach().contiguous()?;
        let terms = cuda::fm_pairs(&v)?;
        if !embeddings.track_op() {
            return Ok(terms);
        }
        let to_embeddings = move |grad: &Tensor| cuda::fm_pairs_grad(&v, grad, None).map(Some);
        return super::precomputed(&embeddings.contiguous()?, terms, Box::new(to_embeddings));
    }
    plain(embeddings)
}

fn plain(embeddings: &Tensor) -> Result<Tensor> {
    let square_of_sum = embeddings.sum(2)?.sqr()?;
    let sum_of_squares = embeddings.sqr()?.sum(2)?;
    (square_of_sum - sum_of_squares)?.sum(2)? * 0.5
}

/// `[R, B, F, D]`, with at least one field and one dimension.
fn shape_of_embeddings(layout: &Layout) -> Result<(usize, usize, usize, usize)> {
    match layout.shape().dims4()? {
        (_, _, 0, _) | (_, _, _, 0) => bail!("embeddings {:?} without a value", layout.shape()),
        shape => Ok(shape),
    }
}

struct FmInteraction;

impl CustomOp1 for FmInteraction {
    fn name(&self) -> &'static str {
        "fm_interaction"
    }

    fn cpu_fwd(&self, v: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (replicas, batch, fields, dim) = shape_of_embeddings(layout)?;
        let v = f32_slice(self.name(), v, layout)?;
        let terms = for_width!(dim, pairs(v, fields, dim));
        Ok((CpuStorage::F32(terms), Shape::from((replicas, batch))))
    }

    fn bwd(&self, v: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        fm_interaction_grad(v, grad).map(Some)
    }
}

/// Adds the gradient of [`fm_interaction`] at `embeddings`, given that of its result (`[R, B]`), to `sum` (`[R, B, F, D]`,
/// out of the graph) in place. On the CPU or a CUDA device.
///
/// # Errors
/// If the shapes do not fit.
pub fn add_fm_interaction_grad(sum: &Tensor, embeddings: &Tensor, grad: &Tensor) -> Result<()> {
    #[cfg(feature = "cuda")]
    if sum.device().is_cuda() {
        return cuda::fm_pairs_grad(embeddings, &grad.contiguous()?, Some(sum)).map(|_| ());
    }
    sum.inplace_op3(embeddings, grad, &AddFmInteractionGrad)
}

struct AddFmInteractionGrad;

impl InplaceOp3 for AddFmInteractionGrad {
    fn name(&self) -> &'static str {
        "add_fm_interaction_grad"
    }

    fn cpu_fwd(
        &self,
        total: &mut CpuStorage,
        total_layout: &Layout,
        v: &CpuStorage,
        v_layout: &Layout,
        grad: &CpuStorage,
        grad_layout: &Layout,
    ) -> Result<()> {
        let (replicas, batch, fields, dim) = shape_of_embeddings(v_layout)?;
        if total_layout.dims() != v_layout.dims() || grad_layout.dims() != [replicas, batch] {
            let (total, grad) = (total_layout.shape(), grad_layout.shape());
            bail!("add_fm_interaction_grad: {total:?} and {grad:?} do not fit {:?}", v_layout.shape());
        }
        let total = f32_slice_mut(self.name(), total, total_layout)?;
        let v = f32_slice(self.name(), v, v_layout)?;
        let grad = f32_slice(self.name(), grad, grad_layout)?;
        for_width!(dim, add_grad(total, v, grad, fields, dim));
        Ok(())
    }
}

/// Dimensions whose sums over the fields stay in a register.
const LANES: usize = 8;

/// The dimensions of a row from `start`, eight of them or what is left, one after the other.
#[inline(always)]
fn each_lane(row: &[f32], start: usize, mut step: impl FnMut(usize, f32)) {
    match row[start..].first_chunk::<LANES>() {
        Some(eight) => (0..LANES).for_each(|lane| step(lane, eight[lane])),
        None => row[start..].iter().enumerate().for_each(|(lane, v)| step(lane, *v)),
    }
}

/// `sum_f v` of one sample in the dimensions from `start`; zero where there is none.
#[inline(always)]
fn sum_of_fields(sample: &[f32], dim: usize, start: usize) -> [f32; LANES] {
    let mut sum = [0f32; LANES];
    for row in sample.chunks_exact(dim) {
        each_lane(row, start, |lane, v| sum[lane] += v);
    }
    sum
}

/// The pairwise term of every sample.
#[multiversion(targets("x86_64+avx2"))]
fn pairs<const WIDTH: usize>(v: &[f32], fields: usize, dim: usize) -> Vec<f32> {
    let dim = width::<WIDTH>(dim);
    let mut terms = Vec::with_capacity(v.len() / (fields * dim));
    for sample in v.chunks_exact(fields * dim) {
        terms.push(pairs_of_sample(sample, dim));
    }
    terms
}

#[inline(always)]
fn pairs_of_sample(sample: &[f32], dim: usize) -> f32 {
    let mut terms = [0f32; LANES];
    for start in (0..dim).step_by(LANES) {
        let sum = sum_of_fields(sample, dim, start);
        let mut squares = [0f32; LANES];
        for row in sample.chunks_exact(dim) {
            each_lane(row, start, |lane, v| squares[lane] += v * v);
        }
        for ((term, sum), squares) in terms.iter_mut().zip(sum).zip(squares) {
            *term += sum * sum - squares;
        }
    }
    0.5 * terms.iter().sum::<f32>()
}

/// Adds `grad * (sum_f v - v)` to `total` for every field.
#[multiversion(targets("x86_64+avx2"))]
fn add_grad<const WIDTH: usize>(total: &mut [f32], v: &[f32], grad: &[f32], fields: usize, dim: usize) {
    let dim = width::<WIDTH>(dim);
    let samples = total.chunks_exact_mut(fields * dim).zip(v.chunks_exact(fields * dim));
    for ((total, sample), &grad) in samples.zip(grad) {
        add_grad_of_sample(total, sample, grad, dim);
    }
}

#[inline(always)]
fn add_grad_of_sample(total: &mut [f32], sample: &[f32], grad: f32, dim: usize) {
    for start in (0..dim).step_by(LANES) {
        let sum = sum_of_fields(sample, dim, start);
        for (total, row) in total.chunks_exact_mut(dim).zip(sample.chunks_exact(dim)) {
            let total = &mut total[start..];
            each_lane(row, start, |lane, v| total[lane] += grad * (sum[lane] - v));
        }
    }
}

/// The gradient of [`fm_interaction`] at `embeddings` (`[R, B, F, D]`, out of the graph), given that of its result (`[R, B]`).
/// On the CPU or a CUDA device.
///
/// # Errors
/// If the shapes do not fit.
pub fn fm_interaction_grad(embeddings: &Tensor, grad: &Tensor) -> Result<Tensor> {
    let (replicas, batch, _, _) = embeddings.dims4()?;
    if grad.dims() != [replicas, batch] {
        bail!("fm_interaction_grad: {:?} does not fit {:?}", grad.shape(), embeddings.shape());
    }
    #[cfg(feature = "cuda")]
    if embeddings.device().is_cuda() {
        return cuda::fm_pairs_grad(&embeddings.contiguous()?, &grad.contiguous()?, None);
    }
    embeddings.apply_op2_no_bwd(&grad.contiguous()?, &FmInteractionGrad)
}

struct FmInteractionGrad;

impl CustomOp2 for FmInteractionGrad {
    fn name(&self) -> &'static str {
        "fm_interaction_grad"
    }

    fn cpu_fwd(
        &self,
        v: &CpuStorage,
        v_layout: &Layout,
        grad: &CpuStorage,
        grad_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (_, _, fields, dim) = shape_of_embeddings(v_layout)?;
        let v = f32_slice(self.name(), v, v_layout)?;
        let grad = f32_slice(self.name(), grad, grad_layout)?;
        let mut out = vec![0.0; v.len()];
        for_width!(dim, add_grad(&mut out, v, grad, fields, dim));
        Ok((CpuStorage::F32(out), v_layout.shape().clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    #[test]
    fn equals_the_sum_of_pairwise_products_and_its_gradient() -> Result<()> {
        for dim in [1, 5, 8, 12, 16, 20, 32] {
            equals_pairwise_products(dim)?;
        }
        Ok(())
    }

    fn equals_pairwise_products(dim: usize) -> Result<()> {
        let values: Vec<f32> = (0..2 * 3 * 4 * dim).map(|i| (i as f32 * 0.37).sin()).collect();
        let v = Var::from_tensor(&Tensor::from_vec(values, (2, 3, 4, dim), &Device::Cpu)?)?;
        let slope = Tensor::new(&[[1f32, 2., 3.], [-1., 0.5, 0.]], &Device::Cpu)?;
        let mut pairs = Tensor::zeros((2, 3), candle_core::DType::F32, &Device::Cpu)?;
        for i in 0..4 {
            for j in i + 1..4 {
                let product = (v.narrow(2, i, 1)? * v.narrow(2, j, 1)?)?;
                pairs = (pairs + product.sum((2, 3))?)?;
            }
        }
        let fused = fm_interaction(&v)?;
        // One epsilon of the sum of all terms without their signs: the terms cancel.
        let terms = v.abs()?.sum(2)?.sqr()?.sum(2)?.flatten_all()?.max(0)?.to_scalar::<f32>()?;
        let rounding = f32::EPSILON * terms;
        for other in [pairs, plain(&v)?] {
            assert!(largest_difference(&fused, &other)? <= rounding);
            let a = (&fused * &slope)?.sum_all()?.backward()?;
            let total = Tensor::zeros(v.shape(), candle_core::DType::F32, &Device::Cpu)?;
            add_fm_interaction_grad(&total, v.as_tensor(), &slope)?;
            assert_eq!(largest_difference(&total, a.get(&v).expect("grad"))?, 0.0);
            let b = (&other * &slope)?.sum_all()?.backward()?;
            assert!(largest_difference(a.get(&v).expect("grad"), b.get(&v).expect("grad"))? < 5e-6);
        }
        Ok(())
    }

    fn largest_difference(a: &Tensor, b: &Tensor) -> Result<f32> {
        (a - b)?.abs()?.flatten_all()?.max(0)?.to_scalar()
    }
}

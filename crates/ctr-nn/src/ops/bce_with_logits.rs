//! Binary cross-entropy on logits, weighted, one sum per replica.

use super::{f32_slice, has_cpu_kernels, precomputed};
use candle_core::{CpuStorage, CustomOp3, DType, Layout, Result, Shape, Tensor, backprop::GradStore, bail};

/// `sum_b w * (max(z, 0) - z * y + ln(1 + exp(-|z|)))` per replica.
///
/// `logits`, `targets` and `weights` are `[R, B]`, the result is `[R]`. Weights carry both the padding mask and the
/// normalisation: a mean over `n` samples has weight `1 / n` on each. Targets may be soft and, for additive
/// corrections, outside `[0, 1]`. Only the logits receive a gradient, `w * (sigmoid(z) - y)`.
///
/// candle's own version is `log(sigmoid(z))`, which is infinite from a logit of about 20 on.
///
/// # Errors
/// If the shapes differ.
pub fn bce_with_logits(logits: &Tensor, targets: &Tensor, weights: &Tensor) -> Result<Tensor> {
    if has_cpu_kernels(logits.device()) {
        return logits.contiguous()?.apply_op3(&targets.contiguous()?, &weights.contiguous()?, BceWithLogits);
    }
    #[cfg(feature = "cuda")]
    if logits.device().is_cuda() {
        let [logits_now, targets, weights] = [logits, targets, weights].map(|tensor| tensor.detach().contiguous());
        let (logits_now, targets, weights) = (logits_now?, targets?, weights?);
        let losses = crate::cuda::bce(&logits_now, &targets, &weights)?;
        let to_logits = move |grad: &Tensor| crate::cuda::bce_grad(&logits_now, &targets, &weights, grad).map(Some);
        return precomputed(&logits.contiguous()?, losses, Box::new(to_logits));
    }
    plain(logits, targets, weights)
}

/// The backward of the sum of all replicas' [`bce_with_logits`]. On the CPU the losses, which nobody reads here, are not computed.
///
/// # Errors
/// If the shapes differ.
pub fn bce_backward(logits: &Tensor, targets: &Tensor, weights: &Tensor) -> Result<GradStore> {
    if !has_cpu_kernels(logits.device()) {
        return bce_with_logits(logits, targets, weights)?.backward();
    }
    let logits = logits.contiguous()?;
    let grad = logits.apply_op3_no_bwd(&targets.contiguous()?, &weights.contiguous()?, &Gradient)?;
    // Stands where the losses would, for the backward to begin at.
    let end = Tensor::zeros(1, DType::F32, logits.device())?;
    precomputed(&logits, end, Box::new(move |_| Ok(Some(grad.clone()))))?.backward()
}

fn plain(logits: &Tensor, targets: &Tensor, weights: &Tensor) -> Result<Tensor> {
    let softplus = ((logits.abs()?.neg()?.exp()? + 1.0)?).log()?;
    // maximum(z, 0) = (z + |z|) / 2 has derivative 1/2 at 0, which is what sigmoid needs there.
    let positive_part = ((logits + logits.abs()?)? * 0.5)?;
    let loss = ((positive_part - (logits * targets)?)? + softplus)?;
    (loss * weights)?.sum(1)
}

struct BceWithLogits;

impl CustomOp3 for BceWithLogits {
    fn name(&self) -> &'static str {
        "bce_with_logits"
    }

    fn cpu_fwd(
        &self,
        logits: &CpuStorage,
        logits_layout: &Layout,
        targets: &CpuStorage,
        targets_layout: &Layout,
        weights: &CpuStorage,
        weights_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (replicas, batch) = one_shape([logits_layout, targets_layout, weights_layout])?.dims2()?;
        let logits = f32_slice(self.name(), logits, logits_layout)?;
        let targets = f32_slice(self.name(), targets, targets_layout)?;
        let weights = f32_slice(self.name(), weights, weights_layout)?;
        let mut losses = vec![0f32; replicas];
        for (i, ((z, y), w)) in logits.iter().zip(targets).zip(weights).enumerate() {
            losses[i / batch] += w * (z.max(0.0) - z * y + (-z.abs()).exp().ln_1p());
        }
        Ok((CpuStorage::F32(losses), Shape::from(replicas)))
    }

    fn bwd(
        &self,
        logits: &Tensor,
        targets: &Tensor,
        weights: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let of_sum = logits.apply_op3_no_bwd(targets, weights, &Gradient)?;
        let grad = of_sum.broadcast_mul(&grad.unsqueeze(1)?)?;
        Ok((Some(grad), None, None))
    }
}

/// `w * (sigmoid(z) - y)`.
struct Gradient;

impl CustomOp3 for Gradient {
    fn name(&self) -> &'static str {
        "bce_gradient"
    }

    fn cpu_fwd(
        &self,
        logits: &CpuStorage,
        logits_layout: &Layout,
        targets: &CpuStorage,
        targets_layout: &Layout,
        weights: &CpuStorage,
        weights_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let shape = one_shape([logits_layout, targets_layout, weights_layout])?;
        let logits = f32_slice(self.name(), logits, logits_layout)?;
        let targets = f32_slice(self.name(), targets, targets_layout)?;
        let weights = f32_slice(self.name(), weights, weights_layout)?;
        let grads =
            logits.iter().zip(targets).zip(weights).map(|((z, y), w)| w * (1.0 / (1.0 + (-z).exp()) - y)).collect();
        Ok((CpuStorage::F32(grads), shape.clone()))
    }
}

fn one_shape([logits, targets, weights]: [&Layout; 3]) -> Result<&Shape> {
    let shape = logits.shape();
    if targets.shape() != shape || weights.shape() != shape {
        bail!("targets {:?} and weights {:?} do not fit logits {shape:?}", targets.shape(), weights.shape());
    }
    Ok(shape)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    fn case() -> Result<(Var, Tensor, Tensor)> {
        let device = Device::Cpu;
        let logits = Tensor::new(&[[0.0f32, 1.5, -2.0], [20.0, -30.0, 100.0]], &device)?;
        let targets = Tensor::new(&[[1.0f32, 0.0, 0.25], [0.0, 1.0, 1.1]], &device)?;
        let weights = Tensor::new(&[[0.5f32, 0.5, 0.0], [0.25, 0.5, 0.25]], &device)?;
        Ok((Var::from_tensor(&logits)?, targets, weights))
    }

    /// ```python
    /// z = torch.tensor([[0., 1.5, -2.], [20., -30., 100.]], requires_grad=True)
    /// y = torch.tensor([[1., 0., .25], [0., 1., 1.1]]); w = torch.tensor([[.5, .5, 0.], [.25, .5, .25]])
    /// loss = (w * F.binary_cross_entropy_with_logits(z, y, reduction="none")).sum(1); loss.sum().backward()
    /// ```
    #[test]
    fn equals_pytorch() -> Result<()> {
        let (logits, targets, weights) = case()?;
        let loss = bce_with_logits(&logits, &targets, &weights)?;
        let grads = loss.sum_all()?.backward()?;
        let close = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-6 * b.abs().max(1e-3));
        assert!(close(&loss.to_vec1()?, &[1.19728, 17.5]), "{loss}");
        let grad = grads.get(&logits).expect("a gradient").flatten_all()?.to_vec1::<f32>()?;
        assert!(close(&grad, &[-0.25, 0.4087872, 0.0, 0.25, -0.5, -0.025]), "{grad:?}");
        Ok(())
    }

    #[test]
    fn backward_alone_is_that_of_the_losses() -> Result<()> {
        let (logits, targets, weights) = case()?;
        let expected = bce_with_logits(&logits, &targets, &weights)?.backward()?;
        let grads = bce_backward(&logits, &targets, &weights)?;
        let of = |grads: &GradStore| grads.get(&logits).expect("a gradient").flatten_all()?.to_vec1::<f32>();
        assert_eq!(of(&grads)?, of(&expected)?);
        let few = weights.narrow(1, 0, 2)?;
        for message in
            [bce_backward(&logits, &targets, &few).map(|_| ()), bce_with_logits(&logits, &targets, &few).map(|_| ())]
        {
            assert!(message.unwrap_err().to_string().contains("do not fit logits [2, 3]"));
        }
        Ok(())
    }

    #[test]
    fn equals_its_plain_twin() -> Result<()> {
        let (logits, targets, weights) = case()?;
        let mut results = Vec::new();
        for loss in [bce_with_logits(&logits, &targets, &weights)?, plain(&logits, &targets, &weights)?] {
            let grad = loss.sum_all()?.backward()?.get(&logits).expect("a gradient").flatten_all()?;
            results.push((loss.to_vec1::<f32>()?, grad.to_vec1::<f32>()?));
        }
        for (a, b) in results[0].0.iter().chain(&results[0].1).zip(results[1].0.iter().chain(&results[1].1)) {
            assert!((a - b).abs() <= 2e-6 * a.abs().max(1.0), "{a} {b}");
        }
        Ok(())
    }
}

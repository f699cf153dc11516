//! `x W + b`: the product is written once, and bias and rectifier follow in one pass.

use super::{
    bias_activation::{add_bias, rectify},
    f32_slice,
    product::{Factor, Sizes, push_product},
};
#[cfg(feature = "cuda")]
use crate::cuda;
use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};

/// `x W + b` for every replica, then `max(_, 0)` if `rectified`, out of the graph: `x` `[R, B, in]`, `weight` `[R, in, out]`,
/// `bias` `[R, out]`, contiguous on the CPU or a CUDA device.
///
/// # Errors
/// If the shapes do not fit.
pub fn affine(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, rectified: bool) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if x.device().is_cuda() {
        let product = cuda::product(cuda::Factor::Plain(x), cuda::Factor::Plain(weight))?;
        match bias {
            Some(bias) => cuda::add_bias(&product, bias, rectified)?,
            None if rectified => cuda::rectify(&product)?,
            None => {}
        }
        return Ok(product);
    }
    match bias {
        Some(bias) => x.apply_op3_no_bwd(weight, bias, &Affine { rectified }),
        None => x.apply_op2_no_bwd(weight, &Affine { rectified }),
    }
}

struct Affine {
    rectified: bool,
}

impl Affine {
    fn run(
        &self,
        (x, x_layout): (&CpuStorage, &Layout),
        (weight, weight_layout): (&CpuStorage, &Layout),
        bias: Option<(&CpuStorage, &Layout)>,
    ) -> Result<(CpuStorage, Shape)> {
        let (replicas, batch, input) = x_layout.shape().dims3()?;
        let output = weight_layout.shape().dims3()?.2;
        let fits = bias.is_none_or(|(_, layout)| layout.dims() == [replicas, output]);
        if weight_layout.dims() != [replicas, input, output] || !fits {
            bail!("affine: weights {:?} do not fit {:?}", weight_layout.shape(), x_layout.shape());
        }
        let (x, weight) = (f32_slice("affine", x, x_layout)?, f32_slice("affine", weight, weight_layout)?);
        let bias = bias.map(|(bias, layout)| f32_slice("affine", bias, layout)).transpose()?;
        let sizes = Sizes { rows: batch, inner: input, columns: output };
        let mut out = Vec::with_capacity(replicas * batch * output);
        for replica in 0..replicas {
            let x = Factor::Plain(&x[replica * batch * input..][..batch * input]);
            let weight = Factor::Plain(&weight[replica * input * output..][..input * output]);
            push_product(&mut out, x, weight, sizes)?;
            let rows = &mut out[replica * batch * output..];
            match bias {
                Some(bias) => add_bias(rows, &bias[replica * output..][..output], self.rectified),
                None if self.rectified => rows.iter_mut().for_each(|z| *z = rectify(*z)),
                None => {}
            }
        }
        Ok((CpuStorage::F32(out), Shape::from((replicas, batch, output))))
    }
}

impl CustomOp2 for Affine {
    fn name(&self) -> &'static str {
        "affine"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.run((x, x_layout), (weight, weight_layout), None)
    }
}

impl CustomOp3 for Affine {
    fn name(&self) -> &'static str {
        "affine"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.run((x, x_layout), (weight, weight_layout), Some((bias, bias_layout)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{largest_difference, wave};

    #[test]
    fn equals_product_and_bias() -> Result<()> {
        for (batch, input, output) in [(3, 5, 4), (9, 33, 17), (32, 4, 1)] {
            let (x, weight) = (wave(&[2, batch, input], 0.3)?, wave(&[2, input, output], 0.7)?);
            let (bias, product) = (wave(&[2, output], 1.1)?, x.matmul(&weight)?);
            assert!(largest_difference(&affine(&x, &weight, None, false)?, &product)? < 1e-6);
            assert!(largest_difference(&affine(&x, &weight, None, true)?, &product.relu()?)? < 1e-6);
            let expected = product.broadcast_add(&bias.unsqueeze(1)?)?;
            assert!(largest_difference(&affine(&x, &weight, Some(&bias), false)?, &expected)? < 2e-6);
            assert!(largest_difference(&affine(&x, &weight, Some(&bias), true)?, &expected.relu()?)? < 2e-6);
        }
        let message = affine(&wave(&[2, 3, 5], 1.0)?, &wave(&[2, 4, 5], 1.0)?, None, false).unwrap_err().to_string();
        assert!(message.contains("do not fit"), "{message}");
        let (x, weight, bias) = (wave(&[2, 3, 5], 1.0)?, wave(&[2, 5, 5], 1.0)?, wave(&[2, 4], 1.0)?);
        assert!(affine(&x, &weight, Some(&bias), false).is_err());
        Ok(())
    }
}

//! Dropout with masks from our own generator.

use crate::{Context, context::Mode};
use candle_core::{Result, Tensor};
use rand::Rng;

/// Sets each value to 0 with this probability and scales the rest by `1 / (1 - probability)`, in training only.
pub(crate) fn dropout(x: &Tensor, probability: f32, context: &mut Context) -> Result<Tensor> {
    let Mode::Training(rng) = &mut context.mode else { return Ok(x.clone()) };
    if probability == 0.0 {
        return Ok(x.clone());
    }
    let scale = 1.0 / (1.0 - probability);
    let mask = (0..x.elem_count()).map(|_| if rng.random::<f32>() < probability { 0.0 } else { scale });
    x.mul(&Tensor::from_vec(mask.collect::<Vec<f32>>(), x.shape(), x.device())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::seeded_rng;
    use candle_core::{DType, Device};

    #[test]
    fn drops_the_stated_share_and_keeps_the_mean() -> Result<()> {
        let ones = Tensor::ones((1, 100, 200), DType::F32, &Device::Cpu)?;
        let mut context = Context::training(seeded_rng(1, "dropout", 0));
        let dropped = dropout(&ones, 0.2, &mut context)?.flatten_all()?.to_vec1::<f32>()?;
        let zeros = dropped.iter().filter(|v| **v == 0.0).count() as f64 / dropped.len() as f64;
        assert!((zeros - 0.2).abs() < 0.01, "{zeros}");
        assert!(dropped.iter().all(|v| *v == 0.0 || *v == 1.25));
        let untouched = dropout(&ones, 0.2, &mut Context::inference())?;
        assert_eq!(untouched.to_vec3::<f32>()?, ones.to_vec3::<f32>()?);
        Ok(())
    }
}

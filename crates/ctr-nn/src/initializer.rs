//! Seeded initial values.

use crate::seed::SeededRng;
use candle_core::{Device, Result, Tensor};
use rand::Rng;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

/// How a parameter starts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Initializer {
    /// One value everywhere.
    Constant(f32),
    /// Normal around 0 with this standard deviation.
    Normal(f32),
    /// Normal with variance `2 / (fan_in + fan_out)` (Glorot and Bengio 2010), over a `[fan_in, fan_out]` weight.
    XavierNormal,
    /// Uniform in `±sqrt(6 / (fan_in + fan_out))`.
    XavierUniform,
    /// Uniform in `±1 / sqrt(fan_in)`: PyTorch's default for a linear layer's weight.
    FanInUniform,
}

impl Initializer {
    /// Says what is wrong with the settings, if anything is.
    ///
    /// # Errors
    /// A message that names the key, the value and the admissible range.
    pub fn validate(self) -> std::result::Result<(), String> {
        match self {
            Initializer::Normal(std) if !(std.is_finite() && std >= 0.0) => {
                Err(format!("initializer normal is {std}; it must be at least 0"))
            }
            Initializer::Constant(value) if !value.is_finite() => {
                Err(format!("initializer constant is {value}; it must be a finite number"))
            }
            _ => Ok(()),
        }
    }

    /// Draws a tensor of `shape`. Fans are the last two dimensions.
    ///
    /// # Errors
    /// If the device runs out of memory.
    pub fn draw(self, shape: &[usize], rng: &mut SeededRng, device: &Device) -> Result<Tensor> {
        let count = shape.iter().product();
        let fan_out = shape.last().copied().unwrap_or(1) as f32;
        let fan_in = shape.iter().rev().nth(1).copied().unwrap_or(1) as f32;
        let mut normal = |std: f32| (0..count).map(|_| std * rng.sample::<f32, _>(StandardNormal)).collect();
        let values: Vec<f32> = match self {
            Initializer::Constant(value) => vec![value; count],
            Initializer::Normal(std) => normal(std),
            Initializer::XavierNormal => normal((2.0 / (fan_in + fan_out)).sqrt()),
            Initializer::XavierUniform => uniform(count, (6.0 / (fan_in + fan_out)).sqrt(), rng),
            Initializer::FanInUniform => uniform(count, 1.0 / fan_in.sqrt(), rng),
        };
        Tensor::from_vec(values, shape, device)
    }
}

fn uniform(count: usize, bound: f32, rng: &mut SeededRng) -> Vec<f32> {
    (0..count).map(|_| rng.random_range(-bound..=bound)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::seeded_rng;

    #[test]
    fn draws_have_the_stated_spread() -> Result<()> {
        let spread = |initializer: Initializer| -> Result<f32> {
            let mut rng = seeded_rng(7, "test", 0);
            let values = initializer.draw(&[200, 100], &mut rng, &Device::Cpu)?.flatten_all()?.to_vec1::<f32>()?;
            Ok((values.iter().map(|v| v * v).sum::<f32>() / values.len() as f32).sqrt())
        };
        // Standard deviations: sqrt(2/300), sqrt(6/300/3), 1/sqrt(200*3); 20,000 draws are within 2 %.
        for (initializer, expected) in [
            (Initializer::Normal(0.01), 0.01),
            (Initializer::XavierNormal, 0.081_65),
            (Initializer::XavierUniform, 0.081_65),
            (Initializer::FanInUniform, 0.040_82),
        ] {
            let spread = spread(initializer)?;
            assert!((spread / expected - 1.0).abs() < 0.02, "{initializer:?}: {spread}");
        }
        Ok(())
    }
}

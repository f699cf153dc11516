//! The planted model: latent factors, side features, click logit.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::SyntheticConfig;

/// Display positions of an impression.
pub(super) const POSITIONS: u32 = 10;
/// Latent components that a side feature shows.
pub(super) const TRAITS: usize = 3;
/// Categories of a side feature.
pub(super) const BUCKETS: u32 = 8;

/// An item: what draws clicks, and what its side features show.
pub(super) struct Item {
    factors: Vec<f64>,
    quality: f64,
    /// Categories of the first components.
    pub traits: Vec<u32>,
    /// Category of the quality.
    pub grade: u32,
}

/// A user: what it clicks, and what its side features show.
pub(super) struct User {
    factors: Vec<f64>,
    /// Bias in the fine-tuning period and in the test period.
    biases: [f64; 2],
    /// Categories of the first components.
    pub traits: Vec<u32>,
}

impl Item {
    /// Draws an item.
    pub fn draw(config: &SyntheticConfig, random: &mut ChaCha8Rng) -> Item {
        let factors = factors(config, random);
        let quality = normal(random);
        Item {
            traits: traits(config, &factors, random),
            grade: bucket(quality, config.feature_noise, random),
            quality: quality * config.item_bias_sd,
            factors,
        }
    }
}

impl User {
    /// Draws a user. The two biases lie half the drift to either side of one value, so that both periods
    /// have the same spread.
    pub fn draw(config: &SyntheticConfig, random: &mut ChaCha8Rng) -> User {
        let factors = factors(config, random);
        let bias = config.user_bias_sd * normal(random);
        let half_drift = config.drift * normal(random) / 2.0;
        User { traits: traits(config, &factors, random), biases: [bias + half_drift, bias - half_drift], factors }
    }

    /// Logit of a click of this user on `item` shown at `position`.
    pub fn logit(&self, config: &SyntheticConfig, item: &Item, position: u32, in_test: bool) -> f64 {
        let product: f64 = self.factors.iter().zip(&item.factors).map(|(user, item)| user * item).sum();
        let interaction = config.factor_scale * product / (self.factors.len() as f64).sqrt();
        let middle = f64::from(POSITIONS - 1) / 2.0;
        let position = config.position_step * (middle - f64::from(position));
        config.base_logit + self.biases[usize::from(in_test)] + item.quality + interaction + position
    }

    /// Fine-tuning bias minus test bias.
    #[cfg(test)]
    pub fn drift(&self) -> f64 {
        self.biases[0] - self.biases[1]
    }
}

pub(super) fn sigmoid(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

pub(super) fn normal(random: &mut ChaCha8Rng) -> f64 {
    random.sample(StandardNormal)
}

fn factors(config: &SyntheticConfig, random: &mut ChaCha8Rng) -> Vec<f64> {
    (0..config.latent_dim).map(|_| normal(random)).collect()
}

fn traits(config: &SyntheticConfig, factors: &[f64], random: &mut ChaCha8Rng) -> Vec<u32> {
    factors.iter().take(TRAITS).map(|&value| bucket(value, config.feature_noise, random)).collect()
}

/// Category of a standard normal value seen through noise; categories are about equally frequent.
fn bucket(value: f64, noise: f64, random: &mut ChaCha8Rng) -> u32 {
    let seen = (value + noise * normal(random)) / (1.0 + noise * noise).sqrt();
    // sigmoid(1.702 x) is within 0.01 of the normal distribution function.
    ((sigmoid(1.702 * seen) * f64::from(BUCKETS)) as u32).min(BUCKETS - 1)
}

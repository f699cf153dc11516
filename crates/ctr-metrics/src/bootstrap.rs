//! Resampling of users with replacement.
//!
//! Users, not samples, are drawn: the samples of a user depend on each other, so an interval that draws samples is too
//! narrow.

use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::MetricError;

/// Settings of a bootstrap over users.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bootstrap {
    /// Number of resamples, at least 1.
    pub resamples: usize,
    /// Coverage of the interval, in (0, 1); 0.95 for 95 %.
    pub confidence: f64,
    /// Seed of the draws. Resample `r` uses stream `r`, so it is the same whichever thread draws it.
    pub seed: u64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self { resamples: 200, confidence: 0.95, seed: 0 }
    }
}

impl Bootstrap {
    pub(crate) fn check(&self) -> Result<(), MetricError> {
        if self.resamples > 0 && self.confidence > 0.0 && self.confidence < 1.0 {
            return Ok(());
        }
        Err(MetricError::Bootstrap { resamples: self.resamples, confidence: self.confidence })
    }

    /// Draws as many users as `multiplicity` has, with replacement, and counts how often each was drawn.
    pub(crate) fn draw(&self, resample: usize, multiplicity: &mut [u32]) {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(resample as u64);
        multiplicity.fill(0);
        let users = multiplicity.len() as u32;
        for _ in 0..users {
            multiplicity[rng.random_range(0..users) as usize] += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOTSTRAP: Bootstrap = Bootstrap { resamples: 10, confidence: 0.95, seed: 7 };

    #[test]
    fn a_resample_has_as_many_users_as_there_are_and_leaves_about_a_third_out() {
        let mut multiplicity = vec![99; 10_000];
        BOOTSTRAP.draw(3, &mut multiplicity);
        assert_eq!(multiplicity.iter().sum::<u32>(), 10_000);
        // A user is left out with chance (1 - 1/n)^n = 0.3679; the standard deviation of the share is 0.003.
        let left_out = multiplicity.iter().filter(|&&count| count == 0).count() as f64 / 10_000.0;
        assert!((left_out - 0.3679).abs() < 0.015, "{left_out}");
    }

    #[test]
    fn resamples_differ_from_each_other_and_repeat_with_the_seed() {
        let draw = |bootstrap: Bootstrap, resample| {
            let mut multiplicity = vec![0; 50];
            bootstrap.draw(resample, &mut multiplicity);
            multiplicity
        };
        assert_eq!(draw(BOOTSTRAP, 1), draw(BOOTSTRAP, 1));
        assert_ne!(draw(BOOTSTRAP, 1), draw(BOOTSTRAP, 2));
        assert_ne!(draw(BOOTSTRAP, 1), draw(Bootstrap { seed: 8, ..BOOTSTRAP }, 1));
    }

    #[test]
    fn settings_without_an_interval_are_refused() {
        assert!(BOOTSTRAP.check().is_ok());
        assert!(Bootstrap { resamples: 0, ..BOOTSTRAP }.check().is_err());
        for confidence in [0.0, 1.0, 95.0, f64::NAN] {
            assert!(Bootstrap { confidence, ..BOOTSTRAP }.check().is_err());
        }
    }
}

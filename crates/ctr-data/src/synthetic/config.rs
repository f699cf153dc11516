//! Sizes and strengths of the planted model.

use serde::{Deserialize, Serialize};

use crate::DataError;
use crate::config::invalid;

/// The planted click model; `docs/data.md` has its equations. Strengths are standard deviations on the logit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SyntheticConfig {
    /// Number of users.
    pub users: u32,
    /// Number of items.
    pub items: u32,
    /// Mean rows of a user; rows are log-normal with sigma 0.5, at least 10 (or this, if smaller).
    pub rows_per_user: f64,
    /// Length of the latent vectors; the first three components show in side features.
    pub latent_dim: u32,
    /// Strength of the user-item interaction.
    pub factor_scale: f64,
    /// Strength of item quality.
    pub item_bias_sd: f64,
    /// Strength of the user's own click-through bias, which no side feature shows.
    pub user_bias_sd: f64,
    /// Logit lost from one display position (0 to 9) to the next.
    pub position_step: f64,
    /// Logit of an average user, item and position.
    pub base_logit: f64,
    /// Noise added to a latent value before a side feature shows it, in units of the value's own sd.
    pub feature_noise: f64,
    /// Item popularity falls as `rank^-zipf_exponent`.
    pub zipf_exponent: f64,
    /// Standard deviation, over users, of the bias in the fine-tuning period minus that in the test period.
    pub drift: f64,
    /// Seed of everything drawn.
    pub seed: u64,
}

impl Default for SyntheticConfig {
    fn default() -> Self {
        SyntheticConfig {
            users: 1200,
            items: 600,
            rows_per_user: 90.0,
            latent_dim: 4,
            factor_scale: 1.0,
            item_bias_sd: 0.7,
            user_bias_sd: 1.0,
            position_step: 0.1,
            base_logit: -0.3,
            feature_noise: 0.3,
            zipf_exponent: 0.8,
            drift: 0.0,
            seed: 1,
        }
    }
}

impl SyntheticConfig {
    /// Refuses impossible values.
    pub(crate) fn validate(&self) -> Result<(), DataError> {
        for (key, value) in [("users", self.users), ("items", self.items), ("latent_dim", self.latent_dim)] {
            if value == 0 {
                return Err(invalid(&format!("synthetic.{key}"), value, "use at least 1"));
            }
        }
        if !(self.rows_per_user >= 1.0 && self.rows_per_user <= 1e6) {
            return Err(invalid("synthetic.rows_per_user", self.rows_per_user, "use a mean between 1 and 1000000"));
        }
        for (key, value) in [
            ("factor_scale", self.factor_scale),
            ("item_bias_sd", self.item_bias_sd),
            ("user_bias_sd", self.user_bias_sd),
            ("feature_noise", self.feature_noise),
            ("zipf_exponent", self.zipf_exponent),
            ("drift", self.drift),
        ] {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(invalid(&format!("synthetic.{key}"), value, "use 0 or a positive number"));
            }
        }
        for (key, value) in [("base_logit", self.base_logit), ("position_step", self.position_step)] {
            if !value.is_finite() {
                return Err(invalid(&format!("synthetic.{key}"), value, "use a finite number"));
            }
        }
        // Row and history indices are 32 bits wide.
        let rows = f64::from(self.users) * self.rows_per_user;
        if rows > 1e9 {
            return Err(invalid("synthetic.users * rows_per_user", rows, "keep it below 1000000000 rows"));
        }
        Ok(())
    }
}

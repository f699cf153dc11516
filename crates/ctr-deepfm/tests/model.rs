//! What every model must do, and which settings this one refuses.

use candle_core::Result;
use ctr_deepfm::DeepFmConfig;
use ctr_model_tests::{fits_64_rows, refuses, replicas_are_independent, round_trips_bit_exactly, small_input};
use ctr_nn::{MlpConfig, ModelConfig};

#[test]
fn fits_64_random_rows() -> Result<()> {
    fits_64_rows(&DeepFmConfig::default())
}

#[test]
fn round_trips() -> Result<()> {
    round_trips_bit_exactly(&*with_batch_norm().build(&small_input()).expect("valid settings"))
}

#[test]
fn replicas_do_not_mix() -> Result<()> {
    replicas_are_independent(&*DeepFmConfig::default().build(&small_input()).expect("valid settings"))?;
    replicas_are_independent(&*with_batch_norm().build(&small_input()).expect("valid settings"))
}

fn with_batch_norm() -> DeepFmConfig {
    let mlp = MlpConfig { hidden_units: vec![6, 5], batch_norm: true, ..MlpConfig::default() };
    DeepFmConfig { mlp, ..DeepFmConfig::default() }
}

#[test]
fn impossible_settings_are_named() {
    let config = DeepFmConfig::default();
    let with = |mlp| DeepFmConfig { mlp, ..config.clone() };
    refuses(&DeepFmConfig { embedding_dim: 0, ..config.clone() }, "embedding_dim is 0; it must be at least 1");
    refuses(&DeepFmConfig { embedding_std: -0.5, ..config.clone() }, "embedding_std is -0.5; it must be at least 0");
    refuses(
        &with(MlpConfig { hidden_units: vec![8, 0], ..MlpConfig::default() }),
        "hidden_units holds 0; each width must be at least 1",
    );
    refuses(&with(MlpConfig { dropout: 1.0, ..MlpConfig::default() }), "dropout is 1; it must be in [0, 1)");
}

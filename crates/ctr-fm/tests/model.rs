//! What every model must do, and which settings this one refuses.

use candle_core::Result;
use ctr_fm::FmConfig;
use ctr_model_tests::{fits_64_rows, refuses, replicas_are_independent, round_trips_bit_exactly, small_input};
use ctr_nn::ModelConfig;

#[test]
fn fits_64_random_rows() -> Result<()> {
    fits_64_rows(&FmConfig::default())
}

#[test]
fn round_trips() -> Result<()> {
    round_trips_bit_exactly(&*FmConfig::default().build(&small_input()).expect("valid settings"))
}

#[test]
fn replicas_do_not_mix() -> Result<()> {
    replicas_are_independent(&*FmConfig::default().build(&small_input()).expect("valid settings"))
}

#[test]
fn impossible_settings_are_named() {
    let config = FmConfig::default();
    refuses(&FmConfig { embedding_dim: 0, ..config.clone() }, "embedding_dim is 0; it must be at least 1");
    refuses(&FmConfig { embedding_std: f64::NAN, ..config }, "embedding_std is NaN; it must be at least 0");
}

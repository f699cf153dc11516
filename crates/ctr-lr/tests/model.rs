//! What every model must do, and which settings this one refuses.

use candle_core::Result;
use ctr_lr::LrConfig;
use ctr_model_tests::{fits_64_rows, refuses, replicas_are_independent, round_trips_bit_exactly, small_input};
use ctr_nn::ModelConfig;

#[test]
fn fits_64_random_rows() -> Result<()> {
    fits_64_rows(&LrConfig::default())
}

#[test]
fn round_trips() -> Result<()> {
    round_trips_bit_exactly(&*LrConfig::default().build(&small_input()).expect("valid settings"))
}

#[test]
fn replicas_do_not_mix() -> Result<()> {
    replicas_are_independent(&*LrConfig::default().build(&small_input()).expect("valid settings"))
}

#[test]
fn impossible_settings_are_named() {
    refuses(&LrConfig { embedding_std: -1.0 }, "embedding_std is -1; it must be at least 0");
}

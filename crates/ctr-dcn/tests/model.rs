//! What every model must do, and which settings this one refuses.

use candle_core::Result;
use ctr_dcn::{Cross, DcnConfig};
use ctr_model_tests::{fits_64_rows, refuses, replicas_are_independent, round_trips_bit_exactly, small_input};
use ctr_nn::ModelConfig;

#[test]
fn fits_64_random_rows() -> Result<()> {
    fits_64_rows(&DcnConfig::default())
}

#[test]
fn fits_64_random_rows_with_matrix_cross() -> Result<()> {
    fits_64_rows(&with(Cross::Matrix))
}

#[test]
fn round_trips() -> Result<()> {
    for cross in [Cross::Vector, Cross::Matrix] {
        round_trips_bit_exactly(&*with(cross).build(&small_input()).expect("valid settings"))?;
    }
    Ok(())
}

#[test]
fn replicas_do_not_mix() -> Result<()> {
    for cross in [Cross::Vector, Cross::Matrix] {
        replicas_are_independent(&*with(cross).build(&small_input()).expect("valid settings"))?;
    }
    Ok(())
}

fn with(cross: Cross) -> DcnConfig {
    DcnConfig { cross, ..DcnConfig::default() }
}

#[test]
fn impossible_settings_are_named() {
    let config = DcnConfig::default();
    refuses(&DcnConfig { embedding_dim: 0, ..config.clone() }, "embedding_dim is 0; it must be at least 1");
    refuses(&DcnConfig { embedding_std: -0.5, ..config.clone() }, "embedding_std is -0.5; it must be at least 0");
    refuses(&DcnConfig { cross_layers: 0, ..config }, "cross_layers is 0; it must be at least 1");
}

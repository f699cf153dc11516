//! Expected values: `python crates/ctr-dcn/tests/golden.py` (torch 2.15.0).

use candle_core::Result;
use ctr_dcn::{Cross, DcnConfig};
use ctr_model_tests::{equals_pytorch, small_input};
use ctr_nn::{Activation, Context, MlpConfig, ModelConfig};

const GOLDEN: &str = include_str!("golden.json");

fn check(case: &str, cross: Cross, activation: Activation) -> Result<()> {
    let mlp = MlpConfig { hidden_units: vec![6, 5], activation, ..MlpConfig::default() };
    let config = DcnConfig { embedding_dim: 4, cross, mlp, ..DcnConfig::default() };
    equals_pytorch(&*config.build(&small_input()).expect("valid settings"), GOLDEN, case, Context::inference())
}

#[test]
fn vector_cross_beside_sigmoid_layers() -> Result<()> {
    check("vector", Cross::Vector, Activation::Sigmoid)
}

#[test]
fn matrix_cross_beside_tanh_layers() -> Result<()> {
    check("matrix", Cross::Matrix, Activation::Tanh)
}

#[test]
fn lists() -> Result<()> {
    check("lists", Cross::Vector, Activation::Sigmoid)
}

//! Expected values: `python crates/ctr-deepfm/tests/golden.py` (torch 2.15.0).

use candle_core::Result;
use ctr_deepfm::DeepFmConfig;
use ctr_model_tests::{equals_pytorch, small_input};
use ctr_nn::{Context, MlpConfig, ModelConfig, seeded_rng};

const GOLDEN: &str = include_str!("golden.json");

fn check(case: &str, batch_norm: bool, context: Context) -> Result<()> {
    let mlp = MlpConfig { hidden_units: vec![6, 5], batch_norm, ..MlpConfig::default() };
    let config = DeepFmConfig { embedding_dim: 4, mlp, ..DeepFmConfig::default() };
    equals_pytorch(&*config.build(&small_input()).expect("valid settings"), GOLDEN, case, context)
}

#[test]
fn relu() -> Result<()> {
    check("relu", false, Context::inference())
}

#[test]
fn batch_norm_in_training() -> Result<()> {
    check("batch norm, training", true, Context::training(seeded_rng(0, "golden", 0)))
}

#[test]
fn batch_norm_in_inference() -> Result<()> {
    check("batch norm, inference", true, Context::inference())
}

#[test]
fn lists() -> Result<()> {
    check("lists", false, Context::inference())
}

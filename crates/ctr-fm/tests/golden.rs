//! Expected values: `python crates/ctr-fm/tests/golden.py` (torch 2.15.0).

use candle_core::Result;
use ctr_fm::FmConfig;
use ctr_model_tests::{equals_pytorch, small_input};
use ctr_nn::{Context, ModelConfig};

const GOLDEN: &str = include_str!("golden.json");

#[test]
fn matches_pytorch() -> Result<()> {
    let model = FmConfig { embedding_dim: 4, ..Default::default() }.build(&small_input()).expect("valid settings");
    equals_pytorch(&*model, GOLDEN, "fm", Context::inference())
}

#[test]
fn lists_match_pytorch() -> Result<()> {
    let model = FmConfig { embedding_dim: 4, ..Default::default() }.build(&small_input()).expect("valid settings");
    equals_pytorch(&*model, GOLDEN, "lists", Context::inference())
}

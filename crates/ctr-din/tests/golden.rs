//! Expected values: `python crates/ctr-din/tests/golden.py` (torch 2.15.0).

use candle_core::Result;
use ctr_din::{AttentionActivation, DinConfig};
use ctr_model_tests::{equals_pytorch, small_input};
use ctr_nn::{Context, MlpConfig, ModelConfig, seeded_rng};

const GOLDEN: &str = include_str!("golden.json");

fn check(case: &str, config: &DinConfig, context: Context) -> Result<()> {
    equals_pytorch(&*config.build(&small_input()).expect("valid settings"), GOLDEN, case, context)
}

fn config(attention_activation: AttentionActivation) -> DinConfig {
    let activation = attention_activation.into();
    let mlp = MlpConfig { hidden_units: vec![6, 5], activation, ..MlpConfig::default() };
    let attention_hidden_units = vec![6];
    DinConfig { embedding_dim: 4, attention_hidden_units, attention_activation, mlp, ..DinConfig::default() }
}

#[test]
fn prelu() -> Result<()> {
    check("prelu", &config(AttentionActivation::Prelu), Context::inference())
}

#[test]
fn softmax_after_two_attention_layers() -> Result<()> {
    let config =
        DinConfig { attention_hidden_units: vec![6, 5], attention_softmax: true, ..config(AttentionActivation::Prelu) };
    check("prelu, two attention layers, softmax", &config, Context::inference())
}

#[test]
fn dice_in_training() -> Result<()> {
    let context = Context::training(seeded_rng(0, "golden", 0));
    check("dice, training", &config(AttentionActivation::Dice), context)
}

#[test]
fn dice_in_inference() -> Result<()> {
    check("dice, inference", &config(AttentionActivation::Dice), Context::inference())
}

#[test]
fn lists() -> Result<()> {
    check("lists", &config(AttentionActivation::Prelu), Context::inference())
}

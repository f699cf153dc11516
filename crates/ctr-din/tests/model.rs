//! What every model must do, and which settings this one refuses.

use candle_core::Result;
use ctr_din::{AttentionActivation, DinConfig};
use ctr_model_tests::{fits_64_rows, refuses, replicas_are_independent, round_trips_bit_exactly, small_input};
use ctr_nn::{Activation, MlpConfig, ModelConfig};

#[test]
fn fits_64_random_rows() -> Result<()> {
    fits_64_rows(&DinConfig::default())
}

#[test]
fn round_trips() -> Result<()> {
    for config in variants() {
        round_trips_bit_exactly(&*config.build(&small_input()).expect("valid settings"))?;
    }
    Ok(())
}

#[test]
fn replicas_do_not_mix() -> Result<()> {
    for config in variants() {
        replicas_are_independent(&*config.build(&small_input()).expect("valid settings"))?;
    }
    Ok(())
}

fn variants() -> [DinConfig; 3] {
    let dice = MlpConfig { activation: Activation::Dice, ..MlpConfig::default() };
    [
        DinConfig::default(),
        DinConfig { attention_softmax: true, ..DinConfig::default() },
        DinConfig { attention_activation: AttentionActivation::Dice, mlp: dice, ..DinConfig::default() },
    ]
}

#[test]
fn impossible_settings_are_named() {
    let config = DinConfig::default();
    refuses(&DinConfig { embedding_dim: 0, ..config.clone() }, "embedding_dim is 0; it must be at least 1");
    refuses(&DinConfig { embedding_std: -0.5, ..config.clone() }, "embedding_std is -0.5; it must be at least 0");
    for units in [vec![], vec![32, 0]] {
        let message = format!("attention_hidden_units is {units:?}; it must hold at least one width, each at least 1");
        refuses(&DinConfig { attention_hidden_units: units, ..config.clone() }, &message);
    }
}

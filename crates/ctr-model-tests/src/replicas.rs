//! Replicas in one pass against the same replicas alone.

use crate::{
    gradients::{Gradients, pass, values, variables},
    small_case::{LastField, formula_values, small_batch, small_targets},
};
use candle_core::{Result, Tensor};
use ctr_nn::{Context, CtrModel, Mode, seeded_rng};

/// Three replicas with different parameters give the logits and gradients of three passes with one replica each,
/// within 1e-6 of the largest value, in inference and in training. The model must have no dropout.
///
/// # Panics
/// If they differ.
///
/// # Errors
/// If the model cannot run.
pub fn replicas_are_independent(model: &dyn CtrModel) -> Result<()> {
    let specs = model.parameters();
    let modes = [|| Mode::Inference, || Mode::Training(Box::new(seeded_rng(0, "replicas", 0)))];
    let ways = [Gradients::Layers, Gradients::LookUps];
    let cases = modes.into_iter().flat_map(|mode| ways.map(|how| (mode, how)));
    for ((mode, how), last) in cases.flat_map(|case| [(case, LastField::Single), (case, LastField::List)]) {
        let run = |replicas: &[usize]| {
            let variables = variables(&specs, replicas, formula_values)?;
            let mut context = Context { mode: mode(), ..Context::inference() };
            let batch = small_batch(replicas.len() as u32, last)?;
            pass(model, &variables, &batch, &small_targets(replicas.len())?, &mut context, how)
        };
        let together = run(&[0, 1, 2])?;
        let alone = [run(&[0])?, run(&[1])?, run(&[2])?];
        let stacked = |tensors: [&Tensor; 3]| Tensor::cat(&tensors, 0);
        assert_close("logits", &together.logits, &stacked([0, 1, 2].map(|r: usize| &alone[r].logits))?)?;
        for (name, gradient) in &together.gradients {
            assert_close(name, gradient, &stacked([0, 1, 2].map(|r: usize| &alone[r].gradients[name]))?)?;
        }
    }
    Ok(())
}

fn assert_close(what: &str, together: &Tensor, alone: &Tensor) -> Result<()> {
    let (together, alone) = (values(together)?, values(alone)?);
    assert_eq!(together.len(), alone.len(), "{what}");
    let largest = alone.iter().fold(0f32, |largest, value| largest.max(value.abs()));
    for (i, (t, a)) in together.iter().zip(&alone).enumerate() {
        assert!((t - a).abs() <= 1e-6 * largest, "{what}[{i}] is {t} among replicas and {a} alone");
    }
    Ok(())
}

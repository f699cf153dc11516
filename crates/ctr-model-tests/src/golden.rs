//! Logits, loss, gradients and running statistics against those of PyTorch.

use crate::{
    gradients::{Gradients, Pass, pass, values, variables},
    small_case::{LastField, formula_values, small_batch, small_targets},
};
use candle_core::Result;
use ctr_nn::{BatchNorm, Context, CtrModel, Mode};
use serde_json::Value;

/// The entry of `golden` that is of lists.
const LISTS: &str = "lists";

/// Runs the small case through candle's graph and (in inference mode) by the other ways to gradients that training and
/// fine-tuning take, and compares with the entry `name` of `golden`, the JSON that a model's `golden.py` wrote:
/// `logits`, `loss`, `gradients` by parameter and, in training, the `buffers` (running statistics) after the pass.
///
/// The entry named `lists` is of samples with several values, or none, in their last field.
///
/// Values must agree within 1e-5 of the expected one plus 16 `f32` epsilons of the largest of their tensor, since a sum
/// that nearly cancels keeps the rounding errors of its terms. Where PyTorch's own float32 is further from its float64 than
/// those epsilons (`float32_error`; after a softmax, whose gradients cancel, 77 of them), its distance takes their place;
/// it may be up to 128 of them.
///
/// A gradient that is zero by algebra (of a bias before batch norm, say; PyTorch's float64 gives below 1e-14) must be below
/// 1e-7.
///
/// # Panics
/// If anything differs, or if a parameter of the model has no expected gradient or the reverse.
///
/// # Errors
/// If the model cannot run.
pub fn equals_pytorch(model: &dyn CtrModel, golden: &str, name: &str, mut context: Context) -> Result<()> {
    let golden: Value = serde_json::from_str(golden).expect("golden.json is JSON");
    let expected = &golden[name];
    let specs = model.parameters();
    let variables = variables(&specs, &[0], formula_values)?;
    let batch = small_batch(1, if name == LISTS { LastField::List } else { LastField::Single })?;
    let actual = pass(model, &variables, &batch, &small_targets(1)?, &mut context, Gradients::Graph)?;
    assert_pass(&actual, expected)?;
    if let Mode::Inference = context.mode {
        for how in [Gradients::Layers, Gradients::LookUps] {
            let mut context = Context::inference();
            assert_pass(&pass(model, &variables, &batch, &small_targets(1)?, &mut context, how)?, expected)?;
        }
    }
    if let Mode::Training(_) = context.mode {
        let buffers = context.norm_statistics.iter().flat_map(|statistics| {
            [("running_mean", &statistics.mean), ("running_var", &statistics.variance)]
                .map(|(part, seen)| (format!("{}.{part}", statistics.layer), seen))
        });
        let buffers: Vec<_> = buffers.collect();
        assert_same_names("buffers", buffers.iter().map(|(buffer, _)| buffer), &expected["buffers"]);
        for (buffer, seen) in buffers {
            let kept = (variables[&buffer].as_tensor() * (1.0 - BatchNorm::MOMENTUM))?;
            let running = values(&(kept + (seen * BatchNorm::MOMENTUM)?)?)?;
            assert_close(&buffer, &running, &expected["buffers"][&buffer], 0.0);
        }
    }
    Ok(())
}

fn assert_pass(actual: &Pass, expected: &Value) -> Result<()> {
    assert_close("logits", &values(&actual.logits)?, &expected["logits"], 0.0);
    assert_close("loss", &values(&actual.losses)?, &expected["loss"], 0.0);
    assert_same_names("gradients", actual.gradients.keys(), &expected["gradients"]);
    for (parameter, gradient) in &actual.gradients {
        let float32_error = expected["float32_error"][parameter].as_f64().expect("the error of PyTorch's float32");
        assert_close(parameter, &values(gradient)?, &expected["gradients"][parameter], float32_error);
    }
    Ok(())
}

fn assert_same_names<'a>(what: &str, actual: impl Iterator<Item = &'a String>, expected: &Value) {
    let mut actual: Vec<&String> = actual.collect();
    actual.sort();
    let expected: Vec<&String> = expected.as_object().expect("an object").keys().collect();
    assert_eq!(actual, expected, "{what}");
}

fn assert_close(what: &str, actual: &[f32], expected: &Value, float32_error: f64) {
    let expected: Vec<f64> = expected
        .as_array()
        .unwrap_or_else(|| panic!("golden.json has no `{what}`"))
        .iter()
        .map(|value| value.as_f64().expect("a number"))
        .collect();
    assert_eq!(actual.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0f64, |largest, value| largest.max(value.abs()));
    // A gradient that cancelled to less than these digits would say nothing.
    let digits_left = largest < 1e-14 || float32_error <= 128.0 * f64::from(f32::EPSILON) * largest;
    assert!(digits_left, "{what}: PyTorch's float32 is {float32_error:e} off, of {largest:e}");
    let rounding = (16.0 * f64::from(f32::EPSILON) * largest).max(float32_error);
    for (i, (a, e)) in actual.iter().zip(&expected).enumerate() {
        let tolerance = if largest < 1e-14 { 1e-7 } else { 1e-5 * e.abs() + rounding };
        assert!((f64::from(*a) - e).abs() <= tolerance, "{what}[{i}] is {a}, PyTorch has {e}");
    }
}

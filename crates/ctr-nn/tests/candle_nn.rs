//! With one replica, the layers and optimizers are candle-nn's.

use candle_core::{D, DType, Device, Result, Tensor, Var};
use candle_nn::{Module, ModuleT, Optimizer, VarBuilder, VarMap};
use ctr_nn::{
    Activation, Algorithm, BatchNorm, Context, Group, Initializer, Leaves, Linear, Mlp, MlpConfig, OptimizerConfig,
    Parameters, Rows, Step, seeded_rng,
};

fn wave(shape: &[usize], frequency: f32) -> Result<Tensor> {
    let values: Vec<f32> = (0..shape.iter().product()).map(|i| (i as f32 * frequency).sin()).collect();
    Tensor::from_vec(values, shape, &Device::Cpu)
}

fn assert_close(ours: &Tensor, theirs: &Tensor) -> Result<()> {
    assert_eq!(ours.dims(), theirs.dims());
    let difference = (ours - theirs)?.abs()?.flatten_all()?.max(D::Minus1)?.to_scalar::<f32>()?;
    assert!(difference <= 1e-6, "{difference}");
    Ok(())
}

#[test]
fn a_linear_layer() -> Result<()> {
    let layer = Linear {
        name: "layer".into(),
        input: 3,
        output: 4,
        bias: true,
        group: Group::Body,
        initializer: Initializer::XavierNormal,
    };
    let (weight, bias, x) = (wave(&[3, 4], 0.7)?, wave(&[4], 1.3)?, wave(&[5, 3], 0.9)?);
    let mut leaves = Leaves::default();
    leaves.insert("layer.weight", weight.unsqueeze(0)?);
    leaves.insert("layer.bias", bias.unsqueeze(0)?);
    let theirs = candle_nn::Linear::new(weight.t()?.contiguous()?, Some(bias));
    assert_close(&layer.forward(&x.unsqueeze(0)?, &leaves)?.squeeze(0)?, &theirs.forward(&x)?)
}

#[test]
fn hidden_layers_with_relu() -> Result<()> {
    let config = MlpConfig { hidden_units: vec![6, 2], activation: Activation::Relu, ..MlpConfig::default() };
    let mlp = Mlp::new("mlp", 3, &config);
    let parameters = Parameters::initialize(mlp.parameters(), 3, &Device::Cpu)?;
    let mut leaves = Leaves::default();
    let x = wave(&[5, 3], 0.9)?;
    let mut theirs = x.clone();
    for layer in ["mlp.0", "mlp.1"] {
        let part = |part: &str| parameters.get(&format!("{layer}.{part}")).map(|value| value.as_tensor().clone());
        leaves.insert(format!("{layer}.weight"), part("weight")?);
        leaves.insert(format!("{layer}.bias"), part("bias")?);
        let linear =
            candle_nn::Linear::new(part("weight")?.squeeze(0)?.t()?.contiguous()?, Some(part("bias")?.squeeze(0)?));
        theirs = linear.forward(&theirs)?.relu()?;
    }
    assert_close(&mlp.forward(&x.unsqueeze(0)?, &leaves, &mut Context::inference())?.squeeze(0)?, &theirs)
}

#[test]
fn batch_norm_in_training_and_in_use() -> Result<()> {
    let ours = BatchNorm { name: "norm".into(), features: 3, affine: true, epsilon: 1e-5 };
    let theirs = candle_nn::batch_norm(3, 1e-5, VarBuilder::from_varmap(&VarMap::new(), DType::F32, &Device::Cpu))?;
    let parameters = Parameters::initialize(ours.parameters(), 1, &Device::Cpu)?;
    let mut leaves = Leaves::default();
    for spec in parameters.specs() {
        leaves.insert(&spec.name, parameters.get(&spec.name)?.as_tensor().clone());
    }
    let x = wave(&[8, 3], 0.9)?;
    let batch = x.unsqueeze(0)?;
    let mut training = Context::training(seeded_rng(1, "unused", 0));
    assert_close(&ours.forward(&batch, &leaves, &mut training)?.squeeze(0)?, &theirs.forward_t(&x, true)?)?;
    for seen in training.norm_statistics {
        for (part, batch, running) in
            [("running_mean", seen.mean, theirs.running_mean()), ("running_var", seen.variance, theirs.running_var())]
        {
            let kept = (leaves.get(&format!("norm.{part}"))? * (1.0 - BatchNorm::MOMENTUM))?;
            let updated = (kept + (batch * BatchNorm::MOMENTUM)?)?;
            assert_close(&updated.squeeze(0)?, running)?;
            leaves.insert(format!("norm.{part}"), updated);
        }
    }
    assert_close(&ours.forward(&batch, &leaves, &mut Context::inference())?.squeeze(0)?, &theirs.forward_t(&x, false)?)
}

#[test]
fn adamw() -> Result<()> {
    let config = OptimizerConfig { weight_decay: 0.1, ..OptimizerConfig::new(Algorithm::Adamw, 0.05) };
    let (ours, theirs) = (Var::from_tensor(&wave(&[4, 3], 0.7)?)?, Var::from_tensor(&wave(&[4, 3], 0.7)?)?);
    let state = config.new_state(&ours)?;
    let params = candle_nn::ParamsAdamW { lr: 0.05, weight_decay: 0.1, ..candle_nn::ParamsAdamW::default() };
    let mut optimizer = candle_nn::AdamW::new(vec![theirs.clone()], params)?;
    for number in 1..=10 {
        let grad = wave(&[4, 3], 0.3 * number as f32)?;
        let step = Step { number, learning_rate: 0.05, l2: 0.0 };
        config.step(&ours, &grad, state.as_ref(), &Rows::All, &step)?;
        optimizer.backward_step(&(theirs.as_tensor() * grad)?.sum_all()?)?;
    }
    assert_close(&ours, &theirs)
}

/// Both normalise, under names of their own.
#[test]
fn dice_after_batch_norm() -> Result<()> {
    let config =
        MlpConfig { hidden_units: vec![4], activation: Activation::Dice, batch_norm: true, ..MlpConfig::default() };
    let mlp = Mlp::new("mlp", 3, &config);
    let parameters = Parameters::initialize(mlp.parameters(), 3, &Device::Cpu)?;
    let mut leaves = Leaves::default();
    for spec in parameters.specs() {
        leaves.insert(&spec.name, parameters.get(&spec.name)?.as_tensor().clone());
    }
    let mut training = Context::training(seeded_rng(1, "unused", 0));
    let y = mlp.forward(&wave(&[5, 3], 0.9)?.unsqueeze(0)?, &leaves, &mut training)?;
    assert_eq!(y.dims(), [1, 5, 4]);
    let layers: Vec<&str> = training.norm_statistics.iter().map(|seen| seen.layer.as_str()).collect();
    assert_eq!(layers, ["mlp.0.norm", "mlp.0.dice"]);
    Ok(())
}

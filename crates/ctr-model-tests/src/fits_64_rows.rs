//! A model that cannot learn a handful of samples by heart is broken.

use crate::gradients::{Gradients, pass};
use candle_core::{Device, Result, Tensor};
use ctr_nn::{
    Algorithm, Batch, BatchLayout, Context, CtrModel, FieldSlots, ModelConfig, ModelInput, OptimizerConfig, Parameters,
    Rows, Step, seeded_rng,
};
use rand::Rng;

const ROWS: u32 = 64;
const OTHER_IDS: u32 = 16;
const HISTORY_LENGTH: usize = 5;
const STEPS: u64 = 400;

/// The model with these settings, trained by Adam on 64 samples with random labels, reaches a log loss below 0.01.
/// Every sample has its own id in the first field; the item field, a third one and the histories are random.
///
/// # Panics
/// If it does not, or if the settings are refused.
///
/// # Errors
/// If the model cannot run.
pub fn fits_64_rows<C: ModelConfig>(config: &C) -> Result<()> {
    let input = ModelInput {
        fields: 3,
        item_field: 1,
        table_rows: (ROWS + 2 * OTHER_IDS) as usize,
        history_length: HISTORY_LENGTH,
    };
    let model = config.build(&input).expect("valid settings");
    let (batch, targets) = random_rows()?;
    let parameters = Parameters::initialize(model.parameters(), 1, &Device::Cpu)?;
    let adam = OptimizerConfig::new(Algorithm::Adam, 0.05);
    let mut variables = std::collections::BTreeMap::new();
    let mut states = std::collections::BTreeMap::new();
    for spec in parameters.specs() {
        let variable = parameters.get(&spec.name)?.clone();
        states.insert(spec.name.clone(), adam.new_state(&variable)?);
        variables.insert(spec.name.clone(), variable);
    }
    let run =
        |model: &dyn CtrModel| pass(model, &variables, &batch, &targets, &mut Context::inference(), Gradients::LookUps);
    for number in 1..=STEPS {
        let step = Step { number, learning_rate: adam.learning_rate, l2: 0.0 };
        for (name, gradient) in run(&*model)?.gradients {
            adam.step(&variables[&name], &gradient, states[&name].as_ref(), &Rows::All, &step)?;
        }
    }
    let loss = run(&*model)?.losses.to_vec1::<f32>()?[0];
    assert!(loss < 0.01, "log loss {loss} after {STEPS} steps");
    Ok(())
}

fn random_rows() -> Result<(Batch, (Tensor, Tensor))> {
    let mut rng = seeded_rng(1, "64 rows", 0);
    let rows = ROWS as usize;
    let (mut ids, mut history, mut labels) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..ROWS {
        let item = ROWS + rng.random_range(0..OTHER_IDS);
        ids.extend([row, item, ROWS + OTHER_IDS + rng.random_range(0..OTHER_IDS)]);
        history.extend((0..HISTORY_LENGTH).map(|_| ROWS + rng.random_range(0..OTHER_IDS)));
        labels.push(if rng.random::<bool>() { 1f32 } else { 0.0 });
    }
    let layout = BatchLayout { replicas: 1, slots: FieldSlots::new(&[1; 3]), history_length: HISTORY_LENGTH };
    let batch = Batch::new(ids, history, &layout, &Device::Cpu)?;
    let labels = Tensor::from_vec(labels, (1, rows), &Device::Cpu)?;
    Ok((batch, (labels, Tensor::full(1.0 / ROWS as f32, (1, rows), &Device::Cpu)?)))
}

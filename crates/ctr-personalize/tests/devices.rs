//! Every backend against the CPU: one body, one test per backend that this build has and this machine can open.
//!
//! `CTRBENCH_REQUIRE_GPU=1` makes a missing device a failure; else its tests say so and pass over it.

use candle_core::{DType, Device, Result, Tensor, Var, backprop::GradStore};
use ctr_data::{Dataset, DatasetConfig, Split, SyntheticConfig, ValueLists};
use ctr_nn::{
    Activation, Algorithm, Batch, BatchLayout, Context, CtrModel, DirectGradients, FieldSlots, Kind, Leaves, MlpConfig,
    ModelConfig, ModelInput, OptimizerConfig, PADDING_ROW, Parameters, RowGradients, RowOrder, Rows, Step,
    TableLookUps, affine, bce_with_logits, bias_add, fm_interaction, interact_keys, seeded_rng, weighted_sum,
};
use ctr_personalize::{CORRECTIONS, FineTuned, FineTuner, FineTuningConfig, Method, Tasks, natural};
use ctr_train::{EmbeddingUpdate, TrainingConfig, predict, train};
use rand::Rng;
use std::collections::BTreeMap;

/// One test per backend of the build.
macro_rules! test_device {
    ($($body:ident),* $(,)?) => {
        $(mod $body {
            #[test]
            fn cpu() {
                super::$body(&candle_core::Device::Cpu).expect("tensor operations");
            }
            #[cfg(feature = "cuda")]
            #[test]
            fn cuda() {
                super::with_device(ctr_nn::DeviceChoice::Cuda(0), super::$body);
            }
            #[cfg(feature = "metal")]
            #[test]
            fn metal() {
                super::with_device(ctr_nn::DeviceChoice::Metal, super::$body);
            }
        })*
    };
}

#[cfg(any(feature = "cuda", feature = "metal"))]
fn with_device(choice: ctr_nn::DeviceChoice, body: impl Fn(&Device) -> Result<()>) {
    match choice.open() {
        Ok(opened) => body(&opened.device).expect("tensor operations"),
        Err(error) => {
            assert!(std::env::var_os("CTRBENCH_REQUIRE_GPU").is_none(), "{error}");
            eprintln!("not tested on {choice}: {error}");
        }
    }
}

test_device!(
    look_ups_and_their_gradients,
    terms_and_their_gradients,
    steps_on_all_rows,
    steps_on_looked_up_rows,
    lr,
    fm,
    deepfm,
    din,
    dcn,
    affine_maps,
    other_settings,
    a_large_batch,
    training,
    training_by_statistics,
    every_method,
    every_model_fine_tuned,
    runs_repeat_bit_for_bit,
);

/// Relative, in float32.
const TOLERANCE: f32 = 1e-4;

fn values(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor.to_device(&Device::Cpu)?.flatten_all()?.to_vec1()
}

/// Differences are held against the largest value, since sums of many terms round by their size.
fn assert_close(what: &str, actual: &[f32], expected: &[f32]) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(0f32, |most, value| most.max(value.abs()));
    for (i, (a, e)) in actual.iter().zip(expected).enumerate() {
        assert!((a - e).abs() <= TOLERANCE * scale.max(1e-3), "{what}: value {i} is {a}, on the CPU {e}");
    }
}

/// Runs `work` on the CPU and on the device, and compares what it names.
fn same_as_on_cpu(device: &Device, work: impl Fn(&Device) -> Result<BTreeMap<String, Vec<f32>>>) -> Result<()> {
    let (expected, actual) = (work(&Device::Cpu)?, work(device)?);
    assert_eq!(actual.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, expected) in &expected {
        assert!(expected.iter().any(|value| *value != 0.0), "{name} is zero everywhere: that tests nothing");
        assert_close(name, &actual[name], expected);
    }
    Ok(())
}

fn drawn(name: &str, shape: &[usize], device: &Device) -> Result<Tensor> {
    let mut rng = seeded_rng(1, name, 0);
    let values: Vec<f32> = (0..shape.iter().product::<usize>()).map(|_| rng.random_range(-1.0..1.0)).collect();
    Tensor::from_vec(values, shape, device)
}

/// Ids below `rows`: many of row 3, so that its look-ups reach over many tiles of a kernel, some of no row, the others anywhere.
fn skewed_ids(count: usize, rows: u32) -> Vec<u32> {
    let mut rng = seeded_rng(1, "ids", count as u64);
    let draw = |_| match rng.random_range(0..10) {
        0..4 => 3,
        4 => PADDING_ROW,
        _ => rng.random_range(0..rows),
    };
    (0..count).map(draw).collect()
}

fn gradient(grads: &GradStore, var: &Var) -> Result<Vec<f32>> {
    values(grads.get(var).expect("a gradient"))
}

fn look_ups_and_their_gradients(device: &Device) -> Result<()> {
    for dim in [1, 3, 16] {
        same_as_on_cpu(device, |device| {
            let table = Var::from_tensor(&drawn("table", &[50, dim], device)?)?;
            let ids = Tensor::from_vec(skewed_ids(600, 50), (2, 100, 3), device)?;
            let mut leaves = Leaves::default();
            leaves.insert("table", table.as_tensor().clone());
            let rows = leaves.gather("table", &ids)?;
            let grads = (&rows * drawn("slope", &[2, 100, 3, dim], device)?)?.sum_all()?.backward()?;
            Ok(BTreeMap::from([("rows".into(), values(&rows)?), ("gradient".into(), gradient(&grads, &table)?)]))
        })?;
    }
    Ok(())
}

fn terms_and_their_gradients(device: &Device) -> Result<()> {
    for (replicas, batch, dim) in [(3, 5, 16), (1, 3000, 3), (70, 33, 8)] {
        same_as_on_cpu(device, |device| {
            let var =
                |name: &str, shape: &[usize]| drawn(name, shape, device).and_then(|values| Var::from_tensor(&values));
            let mut results = BTreeMap::new();
            let embeddings = var("embeddings", &[replicas, batch, 4, dim])?;
            let logits = (fm_interaction(&embeddings)? * 3.0)?;
            let labels = drawn("labels", &[replicas, batch], device)?.gt(0f64)?.to_dtype(DType::F32)?;
            let weights = (drawn("weights", &[replicas, batch], device)? + 2.0)?;
            let losses = bce_with_logits(&logits, &labels, &weights)?;
            let per_replica = drawn("per replica", &[replicas], device)?;
            let grads = (&losses * &per_replica)?.sum_all()?.backward()?;
            results.insert("fm".into(), values(&logits)?);
            results.insert("losses".into(), values(&losses)?);
            results.insert("fm gradient".into(), gradient(&grads, &embeddings)?);

            let (query, weights) = (var("query", &[replicas, batch, dim])?, var("weights", &[replicas, batch, 4])?);
            let bias = var("bias", &[replicas, 2 * dim])?;
            let keys = interact_keys(&query, &embeddings)?;
            let sum = weighted_sum(&weights, &embeddings)?.sum_all()?;
            let total = (bias_add(&keys, &bias)?.sqr()?.sum_all()? + sum)?;
            let grads = total.backward()?;
            for (name, var) in [("query", &query), ("weights", &weights), ("bias", &bias), ("keys", &embeddings)] {
                results.insert(format!("{name} gradient"), gradient(&grads, var)?);
            }
            Ok(results)
        })?;
    }
    Ok(())
}

const ALGORITHMS: [Algorithm; 4] = [Algorithm::Sgd, Algorithm::Adam, Algorithm::Adamw, Algorithm::Adagrad];

fn optimizer(algorithm: Algorithm) -> OptimizerConfig {
    let weight_decay = if algorithm == Algorithm::Adamw { 0.1 } else { 0.0 };
    OptimizerConfig { weight_decay, ..OptimizerConfig::new(algorithm, 0.1) }
}

fn step(number: u64) -> Step {
    Step { number, learning_rate: 0.1, l2: 0.01 }
}

fn steps_on_all_rows(device: &Device) -> Result<()> {
    for (algorithm, rows) in ALGORITHMS.iter().flat_map(|a| [(*a, Rows::All), (*a, Rows::Active([1, 4].into()))]) {
        same_as_on_cpu(device, |device| {
            let optimizer = optimizer(algorithm);
            let parameter = Var::from_tensor(&drawn("parameter", &[5, 7, 3], device)?)?;
            let state = optimizer.new_state(&parameter)?;
            for number in 1..=3 {
                let grad = drawn(&format!("gradient {number}"), &[5, 7, 3], device)?;
                optimizer.step(&parameter, &grad, state.as_ref(), &rows, &step(number))?;
            }
            let mut results = BTreeMap::from([("parameter".to_owned(), values(&parameter)?)]);
            state.map(|state| results.insert("state".into(), values(&state).expect("a state")));
            Ok(results)
        })?;
    }
    Ok(())
}

/// Look-ups in two parts, few and many, so that sums cross the tiles of a kernel.
fn steps_on_looked_up_rows(device: &Device) -> Result<()> {
    for (count, dim) in [(40, 16), (5_000, 3), (5_000, 16), (140_000, 1), (140_000, 16)] {
        for algorithm in ALGORITHMS {
            same_as_on_cpu(device, |device| {
                let optimizer = optimizer(algorithm);
                let parameter = Var::from_tensor(&drawn("table", &[1000, dim], device)?)?;
                let state = optimizer.new_state(&parameter)?;
                let mut results = BTreeMap::new();
                for number in 1..=2 {
                    let mut gradients = RowGradients::default();
                    for part in [count, count / 3] {
                        let ids = Tensor::from_vec(skewed_ids(part, 1000), part, device)?;
                        // Small, so that sums of many stay within float32's reach.
                        let grads = (drawn(&format!("gradients {number} {part}"), &[part, dim], device)? * 0.01)?;
                        gradients.push(ids, grads);
                    }
                    let order = RowOrder::new(&gradients)?;
                    results.insert(format!("sums {number}"), values(&gradients.to_dense(&order, 1000)?)?);
                    optimizer.step_rows(&parameter, &gradients, &order, state.as_ref(), &step(number))?;
                    if algorithm == Algorithm::Sgd {
                        let table = drawn("table", &[1000, dim], device)?;
                        gradients.descend(&table, 0.1, &mut None)?;
                        results.insert(format!("descended {number}"), values(&table)?);
                    }
                }
                results.insert("table".into(), values(&parameter)?);
                Ok(results)
            })?;
        }
    }
    Ok(())
}

/// Layers without a graph: with a bias and a rectifier, without.
fn affine_maps(device: &Device) -> Result<()> {
    for (bias, rectified) in [(true, true), (true, false), (false, true), (false, false)] {
        for outputs in [5, 8] {
            same_as_on_cpu(device, |device| {
                let (x, weight) = (drawn("x", &[2, 7, 6], device)?, drawn("weight", &[2, 6, outputs], device)?);
                let bias = bias.then(|| drawn("bias", &[2, outputs], device)).transpose()?;
                let outputs = affine(&x, &weight, bias.as_ref(), rectified)?;
                Ok(BTreeMap::from([("outputs".to_owned(), values(&outputs)?)]))
            })?;
        }
    }
    Ok(())
}

const ROWS: usize = 40;
const HISTORY_LENGTH: usize = 4;

/// How many users have a model of their own, and how many samples each.
#[derive(Clone, Copy)]
struct Size {
    replicas: usize,
    samples: usize,
}

const FEW: Size = Size { replicas: 3, samples: 6 };
/// More samples than a block of a kernel sums, and no multiple of it.
const MANY: Size = Size { replicas: 1, samples: 5_000 };

/// Logits and every gradient of a model by its default settings, fields with one value and with several.
fn model_is_the_same<C: ModelConfig>(device: &Device) -> Result<()> {
    settings_are_the_same(&C::default(), FEW, device)
}

fn settings_are_the_same<C: ModelConfig>(config: &C, size: Size, device: &Device) -> Result<()> {
    let input = ModelInput { fields: 3, item_field: 1, table_rows: ROWS, history_length: HISTORY_LENGTH };
    let model = config.build(&input).expect("admissible settings");
    for slots in [[1, 1, 1], [1, 1, 3]] {
        same_as_on_cpu(device, |device| logits_and_gradients(&*model, FieldSlots::new(&slots), size, device))?;
    }
    Ok(())
}

fn logits_and_gradients(
    model: &dyn CtrModel,
    slots: FieldSlots,
    Size { replicas, samples }: Size,
    device: &Device,
) -> Result<BTreeMap<String, Vec<f32>>> {
    let mut leaves = Leaves::default();
    let mut trained = Vec::new();
    for spec in model.parameters() {
        let shape = match spec.kind {
            Kind::Table => vec![replicas * ROWS, spec.shape[1]],
            Kind::Dense | Kind::Buffer => [&[replicas], &spec.shape[..]].concat(),
        };
        let value = (drawn(&spec.name, &shape, device)? * 0.3)?;
        let value = if spec.name.ends_with("running_var") { (value.abs()? + 0.5)? } else { value };
        if spec.kind == Kind::Dense {
            let var = Var::from_tensor(&value)?;
            leaves.insert(&spec.name, var.as_tensor().clone());
            trained.push((spec.name, var));
        } else {
            leaves.insert(&spec.name, value);
        }
    }
    let (direct, lookups) = (DirectGradients::default(), TableLookUps::new(device)?);
    leaves.collect_gradients(direct.clone());
    leaves.collect_lookups(lookups.clone());

    let mut rng = seeded_rng(1, "batch", 0);
    let mut of_replicas = |per_sample: usize| -> Vec<u32> {
        let places = replicas * samples * per_sample;
        let row = |i: usize| (i / (samples * per_sample) * ROWS) as u32 + rng.random_range(0..ROWS as u32);
        (0..places).map(row).collect()
    };
    let (mut ids, mut history) = (of_replicas(slots.total()), of_replicas(HISTORY_LENGTH));
    // Lists and histories are shorter in some samples.
    if !slots.are_single() {
        ids.iter_mut().skip(slots.total() - 1).step_by(2 * slots.total()).for_each(|id| *id = PADDING_ROW);
    }
    history.chunks_mut(HISTORY_LENGTH).step_by(2).for_each(|items| items[2..].fill(PADDING_ROW));
    let history_length = if model.uses_history() { HISTORY_LENGTH } else { 0 };
    let layout = BatchLayout { replicas, slots, history_length };
    let batch = Batch::new(ids, history, &layout, device)?;

    let logits = model.forward(&leaves, &batch, &mut Context::inference())?;
    let labels = drawn("labels", &[replicas, samples], device)?.gt(0f64)?.to_dtype(DType::F32)?;
    let weights = Tensor::full(1f32 / samples as f32, (replicas, samples), device)?;
    let mut grads = bce_with_logits(&logits, &labels, &weights)?.sum_all()?.backward()?;
    let mut results = BTreeMap::from([("logits".to_owned(), values(&logits)?)]);
    let mut of_layers = direct.take();
    for (name, var) in trained {
        let grad = match (grads.remove(&var), of_layers.remove(&name)) {
            (Some(a), Some(b)) => (a + b)?,
            (Some(grad), None) | (None, Some(grad)) => grad,
            (None, None) => panic!("{name} has no gradient"),
        };
        results.insert(format!("gradient of {name}"), values(&grad)?);
    }
    for (name, gradients) in lookups.take(&mut grads) {
        let dense = gradients.to_dense(&RowOrder::new(&gradients)?, replicas * ROWS)?;
        results.insert(format!("gradient of {name}"), values(&dense)?);
    }
    Ok(results)
}

fn lr(device: &Device) -> Result<()> {
    model_is_the_same::<ctr_lr::LrConfig>(device)
}

fn fm(device: &Device) -> Result<()> {
    model_is_the_same::<ctr_fm::FmConfig>(device)
}

fn deepfm(device: &Device) -> Result<()> {
    model_is_the_same::<ctr_deepfm::DeepFmConfig>(device)
}

fn din(device: &Device) -> Result<()> {
    model_is_the_same::<ctr_din::DinConfig>(device)
}

fn dcn(device: &Device) -> Result<()> {
    model_is_the_same::<ctr_dcn::DcnConfig>(device)
}

/// What no default setting reaches: the other activations, batch norm, DIN's softmax and Dice, DCN's matrices.
fn other_settings(device: &Device) -> Result<()> {
    let default = MlpConfig { hidden_units: vec![12, 5], ..MlpConfig::default() };
    let activations = [Activation::Sigmoid, Activation::Tanh, Activation::Prelu, Activation::Dice];
    let mut mlps = activations.map(|activation| MlpConfig { activation, ..default.clone() }).to_vec();
    mlps.push(MlpConfig { batch_norm: true, ..default.clone() });
    for mlp in mlps {
        settings_are_the_same(&ctr_deepfm::DeepFmConfig { mlp, ..Default::default() }, FEW, device)?;
    }
    let attention_activation = ctr_din::AttentionActivation::Dice;
    let din = ctr_din::DinConfig { attention_activation, attention_softmax: true, ..Default::default() };
    settings_are_the_same(&din, FEW, device)?;
    settings_are_the_same(&ctr_dcn::DcnConfig { cross: ctr_dcn::Cross::Matrix, ..Default::default() }, FEW, device)
}

/// Few rectifiers, since rounding at the kink of one may become another result.
fn a_large_batch(device: &Device) -> Result<()> {
    let mlp = MlpConfig { hidden_units: vec![4], ..MlpConfig::default() };
    settings_are_the_same(&ctr_deepfm::DeepFmConfig { mlp, ..Default::default() }, MANY, device)
}

/// A small synthetic dataset, one of whose fields has lists.
fn dataset(users: u32) -> Dataset {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = DatasetConfig::new("synthetic");
    config.cache_dir = folder.path().to_owned();
    config.history_length = 5;
    config.synthetic = SyntheticConfig { users, items: 80, rows_per_user: 60.0, ..SyntheticConfig::default() };
    let mut dataset = ctr_data::load(&config, &|_| {}).expect("a synthetic dataset");
    let (field, offset) = (2, dataset.fields[2].offset);
    let size = dataset.fields[field].vocabulary_size;
    let lists: Vec<Vec<u32>> = (0..size).map(|value| (offset..=offset + value % 3).collect()).collect();
    dataset.lists.insert(field, ValueLists::of(&lists));
    let fields = dataset.fields.len();
    dataset.samples.ids.iter_mut().skip(field).step_by(fields).for_each(|id| *id -= offset);
    dataset
}

fn structure<C: ModelConfig>(config: &C, dataset: &Dataset) -> Box<dyn CtrModel> {
    let input = ModelInput {
        fields: dataset.fields.len(),
        item_field: dataset.item_field,
        table_rows: dataset.table_rows(),
        history_length: dataset.history_length,
    };
    config.build(&input).expect("admissible settings")
}

fn an_epoch(embedding_update: EmbeddingUpdate) -> TrainingConfig {
    TrainingConfig { batch_size: 256, epochs: 1, embedding_update, ..TrainingConfig::default() }
}

fn trained(
    model: &dyn CtrModel,
    dataset: &Dataset,
    config: &TrainingConfig,
    device: &Device,
) -> (Parameters, Vec<f32>, Vec<f64>) {
    let trained = train(model, "model", dataset, config, 1, device, None, &mut |_| {}).expect("a trained model");
    let samples: Vec<u32> = (0..dataset.len() as u32).collect();
    let logits = predict(model, &trained.parameters, dataset, &samples, device).expect("logits");
    let losses = trained.report.epochs.iter().map(|epoch| epoch.train_loss).collect();
    (trained.parameters, logits, losses)
}

/// An epoch by both rules, from the same weights and batches.
fn training(device: &Device) -> Result<()> {
    let dataset = dataset(60);
    for update in [EmbeddingUpdate::Touched, EmbeddingUpdate::All] {
        let (deepfm, din) = (ctr_deepfm::DeepFmConfig::default(), ctr_din::DinConfig::default());
        for model in [structure(&deepfm, &dataset), structure(&din, &dataset)] {
            training_is_the_same(&*model, &dataset, &an_epoch(update), device);
        }
    }
    Ok(())
}

/// Layers that take statistics of a batch. By SGD: the gradient of a bias before them is zero but for rounding, of which Adam would
/// make whole steps.
fn training_by_statistics(device: &Device) -> Result<()> {
    let dataset = dataset(60);
    let mlp = MlpConfig { batch_norm: true, activation: Activation::Dice, ..MlpConfig::default() };
    let model = structure(&ctr_deepfm::DeepFmConfig { mlp, ..Default::default() }, &dataset);
    let optimizer = OptimizerConfig::new(Algorithm::Sgd, 0.1);
    let config = TrainingConfig { optimizer, ..an_epoch(EmbeddingUpdate::Touched) };
    training_is_the_same(&*model, &dataset, &config, device);
    Ok(())
}

fn training_is_the_same(model: &dyn CtrModel, dataset: &Dataset, config: &TrainingConfig, device: &Device) {
    let (_, expected, expected_losses) = trained(model, dataset, config, &Device::Cpu);
    let (_, actual, losses) = trained(model, dataset, config, device);
    assert_close("logits after training", &actual, &expected);
    assert!((losses[0] - expected_losses[0]).abs() <= 1e-4 * expected_losses[0]);
}

/// The cloud's values on another device.
fn moved(parameters: &Parameters, model: &dyn CtrModel, device: &Device) -> Result<Parameters> {
    let there = Parameters::initialize(model.parameters(), 1, device)?;
    there.restore(&parameters.snapshot()?)?;
    Ok(there)
}

struct Cloud {
    dataset: Dataset,
    model: Box<dyn CtrModel>,
    parameters: Parameters,
    logits: Vec<f32>,
    tasks: Tasks,
}

impl Cloud {
    fn new<C: ModelConfig>(users: u32) -> Self {
        Self::of(&C::default(), users)
    }

    fn of<C: ModelConfig>(config: &C, users: u32) -> Self {
        let dataset = dataset(users);
        let model = structure(config, &dataset);
        let (parameters, logits, _) = trained(&*model, &dataset, &an_epoch(EmbeddingUpdate::Touched), &Device::Cpu);
        let tasks = natural(&dataset, 1, Split::Test);
        Self { dataset, model, parameters, logits, tasks }
    }

    fn tuned(&self, config: &FineTuningConfig, method: &str, device: &Device) -> Result<FineTuned> {
        let there = moved(&self.parameters, &*self.model, device)?;
        let tuner = FineTuner::new(&*self.model, &there, &self.logits, &self.dataset, config, device);
        Ok(tuner.run(&self.tasks, &Method::parse(method).expect("a known method"), 1).expect("fine-tuned users"))
    }
}

fn config(algorithm: Algorithm, chunk_users: Option<usize>) -> FineTuningConfig {
    let learning_rate = if algorithm == Algorithm::Sgd { 0.05 } else { 0.005 };
    let optimizer = OptimizerConfig::new(algorithm, learning_rate);
    FineTuningConfig { optimizer, epochs: 2, batch_size: 8, chunk_users, ..FineTuningConfig::default() }
}

/// Every correction and reference, in chunks of 7 and in the device's own.
fn every_method(device: &Device) -> Result<()> {
    let cloud = Cloud::new::<ctr_deepfm::DeepFmConfig>(40);
    let references = ["none+l2-sp", "head-only", "embedding-only", "bias-only"];
    for method in CORRECTIONS.iter().map(|correction| correction.name).chain(references) {
        let expected = cloud.tuned(&config(Algorithm::Sgd, Some(7)), method, &Device::Cpu)?.logits;
        for chunk_users in [Some(7), None] {
            let actual = cloud.tuned(&config(Algorithm::Sgd, chunk_users), method, device)?.logits;
            assert_close(method, &actual, &expected);
        }
    }
    Ok(())
}

fn every_model_fine_tuned(device: &Device) -> Result<()> {
    fn of<C: ModelConfig>(device: &Device) -> Result<()> {
        let cloud = Cloud::new::<C>(30);
        for algorithm in [Algorithm::Sgd, Algorithm::Adam] {
            let expected = cloud.tuned(&config(algorithm, Some(7)), "logit-adjustment", &Device::Cpu)?.logits;
            let actual = cloud.tuned(&config(algorithm, None), "logit-adjustment", device)?.logits;
            assert_close(&format!("{} {algorithm:?}", C::NAME), &actual, &expected);
        }
        Ok(())
    }
    of::<ctr_lr::LrConfig>(device)?;
    of::<ctr_fm::FmConfig>(device)?;
    of::<ctr_deepfm::DeepFmConfig>(device)?;
    of::<ctr_din::DinConfig>(device)?;
    of::<ctr_dcn::DcnConfig>(device)
}

/// The same run twice: the same bytes, of every model by both rules of training, also with layers that take statistics and with
/// several chunks of users. On a GPU that needs chunks of a constant size.
fn runs_repeat_bit_for_bit(device: &Device) -> Result<()> {
    fn of<C: ModelConfig>(settings: &C, device: &Device) -> Result<()> {
        let cloud = Cloud::of(settings, 20);
        let bits = |logits: Vec<f32>| logits.into_iter().map(f32::to_bits).collect::<Vec<_>>();
        let run = || -> Result<_> {
            let trained = [EmbeddingUpdate::Touched, EmbeddingUpdate::All]
                .map(|update| bits(trained(&*cloud.model, &cloud.dataset, &an_epoch(update), device).1));
            let tuned = |chunk_users| -> Result<_> {
                let config = FineTuningConfig { deterministic: true, ..config(Algorithm::Adam, chunk_users) };
                Ok(bits(cloud.tuned(&config, "logit-adjustment", device)?.logits))
            };
            Ok((trained, tuned(Some(7))?, tuned(None)?))
        };
        assert_eq!(run()?, run()?, "{}", C::NAME);
        Ok(())
    }
    let mlp = MlpConfig { batch_norm: true, activation: Activation::Dice, ..MlpConfig::default() };
    of(&ctr_lr::LrConfig::default(), device)?;
    of(&ctr_fm::FmConfig::default(), device)?;
    of(&ctr_deepfm::DeepFmConfig::default(), device)?;
    of(&ctr_deepfm::DeepFmConfig { mlp, ..Default::default() }, device)?;
    of(&ctr_din::DinConfig::default(), device)?;
    of(&ctr_dcn::DcnConfig::default(), device)?;
    of(&ctr_dcn::DcnConfig { cross: ctr_dcn::Cross::Matrix, ..Default::default() }, device)
}

/// What the options for matrix products change: a little, and not nothing.
#[cfg(feature = "cuda")]
#[test]
#[ignore = "sets the precision of the whole process: run it alone, with --test-threads 1"]
fn reduced_precision_rounds_factors_only() {
    use ctr_nn::{DeviceChoice, MatmulPrecision};
    const CUDA: DeviceChoice = DeviceChoice::Cuda(0);
    with_device(CUDA, |device| {
        let tuned = |cloud: &Cloud, precision: MatmulPrecision, choice, device: &Device| {
            precision.set(choice).expect("a precision that the device has");
            let tuned = cloud.tuned(&config(Algorithm::Sgd, Some(30)), "none", device);
            MatmulPrecision::Float32.set(choice).expect("a precision that every device has");
            tuned.map(|tuned| tuned.logits)
        };
        let largest = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
        let matrix = ctr_dcn::DcnConfig { cross: ctr_dcn::Cross::Matrix, ..Default::default() };
        let deepfm = Cloud::new::<ctr_deepfm::DeepFmConfig>(30);
        for cloud in [&deepfm, &Cloud::new::<ctr_din::DinConfig>(30), &Cloud::of(&matrix, 30)] {
            let exact = tuned(cloud, MatmulPrecision::Float32, CUDA, device)?;
            let tf32 = largest(&tuned(cloud, MatmulPrecision::Tf32, CUDA, device)?, &exact);
            assert!(tf32 > 0.0 && tf32 < 1e-2, "tf32 moves logits by {tf32}");
            let on_cpu = tuned(cloud, MatmulPrecision::Bf16, DeviceChoice::Cpu, &Device::Cpu)?;
            let bf16 = largest(&on_cpu, &exact);
            // The same factors on both; a sum of another order may round to the other neighbour, which is one factor of many.
            let apart = largest(&tuned(cloud, MatmulPrecision::Bf16, CUDA, device)?, &on_cpu);
            assert!(bf16 < 5e-2 && apart < bf16 / 4.0, "bf16 moves logits by {bf16}, and devices are {apart} apart");
        }
        Ok(())
    });
}

/// With little memory left chunks are halved, and the results stay.
#[cfg(feature = "cuda")]
#[test]
#[ignore = "takes all of the GPU's memory: run it alone, with --test-threads 1"]
fn want_of_memory_halves_chunks() {
    with_device(ctr_nn::DeviceChoice::Cuda(0), |device| {
        // Smooth, since other chunks round otherwise and a rectifier's kink may turn that into another result.
        let mlp = MlpConfig { activation: Activation::Tanh, ..MlpConfig::default() };
        let cloud = Cloud::of(&ctr_deepfm::DeepFmConfig { mlp, ..Default::default() }, 600);
        let config = config(Algorithm::Adam, Some(600));
        let expected = cloud.tuned(&config, "none", device)?;
        assert_eq!(expected.chunk_users, (600, 600));
        let mut ballast = Vec::new();
        let free = || ctr_nn::free_device_bytes(device).map(|bytes| bytes.unwrap_or(0) as usize);
        // What is left is half of what the chunk takes at the least: the users' weights, their gradients and two moments.
        let weights: usize =
            cloud.model.parameters().iter().filter(|spec| spec.kind == Kind::Dense).map(|spec| spec.len()).sum();
        let left = 600 * weights * size_of::<f32>() * 4 / 2;
        for bytes in [1 << 33, 1 << 30, 1 << 26, 1 << 22] {
            while free()? > left + bytes {
                match Tensor::zeros(bytes / size_of::<f32>(), DType::F32, device) {
                    Ok(tensor) => ballast.push(tensor),
                    Err(_) => break,
                }
            }
        }
        let actual = cloud.tuned(&config, "none", device)?;
        drop(ballast);
        assert!(actual.chunk_users.1 < 600, "chunks of {:?} in spite of {left} bytes", actual.chunk_users);
        assert_close("logits", &actual.logits, &expected.logits);
        Ok(())
    });
}

//! The engine on a small synthetic dataset: what must not change a user's result, and what each method may move.

use candle_core::Device;
use ctr_data::{Dataset, DatasetConfig, Split, SyntheticConfig, ValueLists};
use ctr_metrics::{Scored, auc, gauc, logloss};
use ctr_nn::{Algorithm, CtrModel, ModelConfig, ModelInput, OptimizerConfig, PADDING_ROW, Parameters};
use ctr_personalize::{
    Exclusion, FineTuned, FineTuner, FineTuningConfig, Method, PlantedDrift, Tasks, natural, planted_drift,
};
use ctr_train::{TrainingConfig, predict, train};

fn dataset(cache: &tempfile::TempDir) -> Dataset {
    let mut config = DatasetConfig::new("synthetic");
    config.cache_dir = cache.path().to_owned();
    config.history_length = 5;
    config.synthetic = SyntheticConfig { users: 60, items: 80, rows_per_user: 60.0, ..SyntheticConfig::default() };
    ctr_data::load(&config, &|_| {}).expect("a synthetic dataset")
}

/// A field that is not the item's, to be given lists.
const LIST_FIELD: usize = 2;

/// The same samples, where a value of the field becomes a list: `list_of` maps the value and the number of values, both
/// without the unknown one, to values.
fn with_lists(mut dataset: Dataset, list_of: impl Fn(u32, u32) -> Vec<u32>) -> Dataset {
    let (offset, size) = (dataset.fields[LIST_FIELD].offset, dataset.fields[LIST_FIELD].vocabulary_size);
    let global = |list: Vec<u32>| list.into_iter().map(|value| offset + value).collect();
    let lists: Vec<Vec<u32>> = (0..size).map(|value| global(list_of(value, size))).collect();
    dataset.lists.insert(LIST_FIELD, ValueLists::of(&lists));
    let fields = dataset.fields.len();
    dataset.samples.ids.iter_mut().skip(LIST_FIELD).step_by(fields).for_each(|id| *id -= offset);
    dataset
}

/// A cloud model after a few epochs, and its logits on every sample.
struct Cloud {
    model: Box<dyn CtrModel>,
    parameters: Parameters,
    logits: Vec<f32>,
}

fn cloud<C: ModelConfig>(dataset: &Dataset) -> Cloud {
    let input = ModelInput {
        fields: dataset.fields.len(),
        item_field: dataset.item_field,
        table_rows: dataset.table_rows(),
        history_length: dataset.history_length,
    };
    let model = C::default().build(&input).expect("default settings");
    let config = TrainingConfig { batch_size: 128, epochs: 3, ..TrainingConfig::default() };
    let trained =
        train(&*model, C::NAME, dataset, &config, 1, &Device::Cpu, None, &mut |_| {}).expect("a trained model");
    let samples: Vec<u32> = (0..dataset.len() as u32).collect();
    let logits = predict(&*model, &trained.parameters, dataset, &samples, &Device::Cpu).expect("logits");
    Cloud { model, parameters: trained.parameters, logits }
}

fn tune(cloud: &Cloud, dataset: &Dataset, config: &FineTuningConfig, tasks: &Tasks, method: &str) -> FineTuned {
    let tuner = FineTuner::new(&*cloud.model, &cloud.parameters, &cloud.logits, dataset, config, &Device::Cpu);
    tuner.run(tasks, &Method::parse(method).expect("a known method"), 1).expect("fine-tuned users")
}

fn config(algorithm: Algorithm, learning_rate: f64) -> FineTuningConfig {
    FineTuningConfig {
        optimizer: OptimizerConfig::new(algorithm, learning_rate),
        epochs: 2,
        batch_size: 8,
        ..FineTuningConfig::default()
    }
}

/// A user gets the same scores alone and in company, whatever the others' numbers of steps.
fn alone_equals_in_company<C: ModelConfig>() {
    let folder = tempfile::tempdir().expect("a folder");
    let dataset = dataset(&folder);
    let cloud = cloud::<C>(&dataset);
    let all = natural(&dataset, 1, Split::Test);
    for (algorithm, learning_rate) in [(Algorithm::Sgd, 0.05), (Algorithm::Adam, 0.005)] {
        for method in ["none", "logit-adjustment+l2-sp", "embedding-only"] {
            let chunked = FineTuningConfig { chunk_users: Some(7), ..config(algorithm, learning_rate) };
            let alone = FineTuningConfig { chunk_users: Some(1), ..chunked.clone() };
            let together = tune(&cloud, &dataset, &chunked, &all, method).logits;
            let single = tune(&cloud, &dataset, &alone, &all, method).logits;
            let moved = tune(&cloud, &dataset, &chunked, &all, "bias-only").logits;
            assert_ne!(together, moved, "fine-tuning moves more than the bias");
            for (a, b) in together.iter().zip(&single) {
                assert!((a - b).abs() <= 1e-5 * b.abs().max(1.0), "{} {algorithm:?} {method}: {a} {b}", C::NAME);
            }
        }
    }
}

#[test]
fn deepfm_alone_equals_in_company() {
    alone_equals_in_company::<ctr_deepfm::DeepFmConfig>();
}

#[test]
fn din_alone_equals_in_company() {
    alone_equals_in_company::<ctr_din::DinConfig>();
}

#[test]
fn fm_alone_equals_in_company() {
    alone_equals_in_company::<ctr_fm::FmConfig>();
}

#[test]
fn dcn_alone_equals_in_company() {
    alone_equals_in_company::<ctr_dcn::DcnConfig>();
}

#[test]
fn lr_alone_equals_in_company() {
    alone_equals_in_company::<ctr_lr::LrConfig>();
}

/// Plain descent is taken as gradients appear, inside the backward; with an anchor that pulls with strength 0 the same steps
/// are taken by the optimizer, from gradients that candle's graph collected.
fn descent_equals_the_optimizers<C: ModelConfig>() {
    let folder = tempfile::tempdir().expect("a folder");
    let dataset = dataset(&folder);
    let cloud = cloud::<C>(&dataset);
    let all = natural(&dataset, 1, Split::Test);
    let config = FineTuningConfig { l2_sp: 0.0, chunk_users: Some(7), ..config(Algorithm::Sgd, 0.05) };
    for (descending, collecting) in
        [("none", "none+l2-sp"), ("head-only", "head-only+l2-sp"), ("embedding-only", "embedding-only+l2-sp")]
    {
        let descending = tune(&cloud, &dataset, &config, &all, descending).logits;
        let collecting = tune(&cloud, &dataset, &config, &all, collecting).logits;
        for (a, b) in descending.iter().zip(&collecting) {
            assert!((a - b).abs() <= 1e-5 * b.abs().max(1.0), "{}: {a} {b}", C::NAME);
        }
    }
}

#[test]
fn descent_equals_the_optimizers_steps() {
    descent_equals_the_optimizers::<ctr_lr::LrConfig>();
    descent_equals_the_optimizers::<ctr_fm::FmConfig>();
    descent_equals_the_optimizers::<ctr_deepfm::DeepFmConfig>();
    descent_equals_the_optimizers::<ctr_din::DinConfig>();
    descent_equals_the_optimizers::<ctr_dcn::DcnConfig>();
}

/// A constant added within a user reorders nothing within the user, and does reorder users.
#[test]
fn bias_only_leaves_gauc_exactly_the_clouds() {
    let folder = tempfile::tempdir().expect("a folder");
    let dataset = dataset(&folder);
    let cloud = cloud::<ctr_deepfm::DeepFmConfig>(&dataset);
    let tasks = natural(&dataset, 1, Split::Test);
    let samples = tasks.judged_samples();
    let labels: Vec<u8> = samples.iter().map(|&i| dataset.samples.label[i as usize]).collect();
    let offsets = tasks.judged_offsets();
    let cloud_logits: Vec<f32> = samples.iter().map(|&i| cloud.logits[i as usize]).collect();
    let tuned = tune(&cloud, &dataset, &config(Algorithm::Sgd, 0.05), &tasks, "bias-only").logits;
    let gauc_of = |logits: &[f32]| gauc(&Scored::new(logits, &labels, &offsets).expect("consistent"));
    assert_eq!(gauc_of(&tuned), gauc_of(&cloud_logits));
    assert_ne!(auc(&tuned, &labels), auc(&cloud_logits, &labels));
    assert_ne!(logloss(&tuned, &labels), logloss(&cloud_logits, &labels));

    // The engine adds the constant to the cloud's logits instead of running each copy; a copy that is run says the same.
    let config = config(Algorithm::Sgd, 0.05);
    let tuner = FineTuner::new(&*cloud.model, &cloud.parameters, &cloud.logits, &dataset, &config, &Device::Cpu);
    let method = Method::parse("bias-only").expect("known");
    for (task, range) in tasks.users.iter().zip(tasks.judged_ranges()).take(5) {
        let copy = tuner.user_model(task, &method, 1).expect("a model");
        for (&sample, logit) in task.judged.iter().zip(&tuned[range]) {
            let score = copy.score(&lookups(&dataset, sample), &[]).expect("a score")[0];
            assert!((score - logit).abs() <= 1e-5 * logit.abs().max(1.0), "{score} {logit}");
        }
    }
}

#[test]
fn one_and_two_threads_give_the_same_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let dataset = dataset(&folder);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| {
            let cloud = cloud::<ctr_din::DinConfig>(&dataset);
            let tuned =
                tune(&cloud, &dataset, &config(Algorithm::Sgd, 0.05), &natural(&dataset, 1, Split::Test), "none");
            (cloud.logits, tuned.logits)
        })
    };
    assert_eq!(run(1), run(2));
}

/// A huge proximal term at a step size that keeps it stable holds a user's copy at the cloud's.
#[test]
fn l2_sp_pulls_toward_the_cloud() {
    let folder = tempfile::tempdir().expect("a folder");
    let dataset = dataset(&folder);
    let cloud = cloud::<ctr_deepfm::DeepFmConfig>(&dataset);
    let tasks = natural(&dataset, 1, Split::Test);
    let cloud_logits: Vec<f32> = tasks.judged_samples().iter().map(|&i| cloud.logits[i as usize]).collect();
    let distance = |l2_sp: f64| {
        let config = FineTuningConfig { l2_sp, ..config(Algorithm::Sgd, 0.01) };
        let tuned = tune(&cloud, &dataset, &config, &tasks, "l2-sp").logits;
        tuned.iter().zip(&cloud_logits).map(|(a, b)| f64::from((a - b).abs())).sum::<f64>()
    };
    let (free, held) = (distance(0.0), distance(90.0));
    assert!(held < 0.5 * free, "{held} against {free}");
}

#[test]
fn planted_local_sets_have_the_target_ctr_and_the_test_set_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let dataset = dataset(&folder);
    let natural = natural(&dataset, 1, Split::Test);
    let drift = PlantedDrift::default();
    let planted = planted_drift(&dataset, &natural, &drift, 1);
    assert_eq!(planted, planted_drift(&dataset, &natural, &drift, 1));
    assert_ne!(planted, planted_drift(&dataset, &natural, &drift, 2));
    for task in &planted.users {
        let before =
            natural.users.iter().find(|before| before.user == task.user).expect("a user of the natural protocol");
        assert_eq!(task.judged, before.judged);
        assert_eq!(task.local.len(), before.local.len());
        assert!(task.local.iter().all(|sample| before.local.contains(sample)));
        let target = task.target_ctr.expect("a target");
        assert!(drift.target_ctrs.contains(&target));
        assert!((task.local_ctr - target).abs() <= 0.5 / task.local.len() as f64 + 1e-12);
    }
    let one_class = planted.excluded.iter().filter(|(_, reason)| *reason == Exclusion::OneClassLocally).count();
    assert_eq!(planted.users.len() + one_class, natural.users.len());
}

#[test]
fn a_step_size_that_diverges_names_the_user_and_the_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let dataset = dataset(&folder);
    let cloud = cloud::<ctr_deepfm::DeepFmConfig>(&dataset);
    let config = config(Algorithm::Sgd, 1e9);
    let tuner = FineTuner::new(&*cloud.model, &cloud.parameters, &cloud.logits, &dataset, &config, &Device::Cpu);
    let error = tuner
        .run(&natural(&dataset, 1, Split::Test), &Method::parse("none").expect("known"), 1)
        .unwrap_err()
        .to_string();
    assert!(error.contains("lower fine_tuning.optimizer.learning_rate (now 1000000000)"), "{error}");
}

fn lookups(dataset: &Dataset, sample: u32) -> Vec<u32> {
    let mut ids = Vec::new();
    dataset.append_lookups(sample as usize, PADDING_ROW, &mut ids);
    ids
}

/// Lists of one value are that value, to the last bit; longer ones are not.
fn lists_of_one_value_change_nothing<C: ModelConfig>() {
    let folder = tempfile::tempdir().expect("a folder");
    let plain = dataset(&folder);
    let run = |dataset: &Dataset| {
        let cloud = cloud::<C>(dataset);
        let tasks = natural(dataset, 1, Split::Test);
        let tuned = tune(&cloud, dataset, &config(Algorithm::Sgd, 0.05), &tasks, "none").logits;
        (cloud.logits, tuned)
    };
    let expected = run(&plain);
    assert!(run(&with_lists(plain.clone(), |value, _| vec![value])) == expected, "{}", C::NAME);
    let doubled = with_lists(plain, |value, size| if value == 1 { vec![1, 2, size - 1] } else { vec![value] });
    assert_eq!(doubled.lookups_by_field().iter().sum::<usize>(), doubled.fields.len() + 2);
    assert!(run(&doubled) != expected, "{}", C::NAME);
}

#[test]
fn lists_of_one_value_change_no_model() {
    lists_of_one_value_change_nothing::<ctr_lr::LrConfig>();
    lists_of_one_value_change_nothing::<ctr_fm::FmConfig>();
    lists_of_one_value_change_nothing::<ctr_deepfm::DeepFmConfig>();
    lists_of_one_value_change_nothing::<ctr_din::DinConfig>();
    lists_of_one_value_change_nothing::<ctr_dcn::DcnConfig>();
}

/// A request gets the scores that the engine gives the same user's samples, one candidate or many at a time; one field has
/// lists.
fn a_request_gets_the_engines_scores<C: ModelConfig>() {
    let folder = tempfile::tempdir().expect("a folder");
    let lists = |value, size| if value % 2 == 1 { vec![value, (value + 3) % size] } else { vec![value] };
    let dataset = with_lists(dataset(&folder), lists);
    let cloud = cloud::<C>(&dataset);
    let tasks = natural(&dataset, 1, Split::Test);
    let config = config(Algorithm::Sgd, 0.05);
    let tuned = tune(&cloud, &dataset, &config, &tasks, "none").logits;
    let tuner = FineTuner::new(&*cloud.model, &cloud.parameters, &cloud.logits, &dataset, &config, &Device::Cpu);
    let none = Method::parse("none").expect("known");
    for (task, range) in tasks.users.iter().zip(tasks.judged_ranges()).take(5) {
        let user_model = tuner.user_model(task, &none, 1).expect("a model");
        let parameters = user_model.parameters();
        let in_graph: Vec<_> = parameters.iter().filter(|(_, value)| value.track_op()).map(|(name, _)| name).collect();
        assert!(in_graph.is_empty(), "a request would make a graph of {in_graph:?}");
        for (&sample, expected) in task.judged.iter().zip(&tuned[range]) {
            let ids = lookups(&dataset, sample);
            // A thousand are scored in parts by all models but the smallest.
            for count in [1, 3, 1000] {
                let scores = user_model.score(&ids.repeat(count), dataset.history(sample as usize)).expect("scores");
                assert_eq!(scores.len(), count);
                for score in scores {
                    let close = (score - expected).abs() <= 1e-5 * expected.abs().max(1.0);
                    assert!(close, "{}: {score} {expected}", C::NAME);
                }
            }
        }
        let message = user_model.score(&[0; 2], &[]).unwrap_err().to_string();
        assert!(message.contains("2 ids are no whole number of candidates"), "{message}");
    }
}

#[test]
fn deepfm_requests_get_the_engines_scores() {
    a_request_gets_the_engines_scores::<ctr_deepfm::DeepFmConfig>();
}

#[test]
fn din_requests_get_the_engines_scores() {
    a_request_gets_the_engines_scores::<ctr_din::DinConfig>();
}

//! A made-up run with the shape of a real one: 5 models, 12 methods, 2 protocols.

use std::collections::BTreeMap;

use ctr_metrics::Estimate;
use ctr_report::{
    CLOUD, CellRecord, CodeRecord, CurvePoint, ModelRecord, RunRecord, SCHEMA_VERSION, SystemRecord, UserBlock,
    UserRow, UserRows,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub const GLOBAL_CTR: f64 = 0.575;
const MODELS: [&str; 5] = ["lr", "fm", "deepfm", "din", "dcn"];
/// Method, change of gauc and of auc under planted drift, share of the drift that it leaves in.
const METHODS: [(&str, f64, f64, f64); 12] = [
    (CLOUD, 0.0, 0.0, 0.0),
    ("none", 0.0005, -0.1267, 1.0),
    ("prior-alignment", 0.0011, -0.0202, 0.15),
    ("cloud-anchored", 0.0010, -0.0035, 0.02),
    ("shift", 0.0008, -0.0180, 0.14),
    ("smoothing", 0.0006, -0.0900, 0.75),
    ("importance-weight", 0.0029, -0.0211, 0.16),
    ("logit-adjustment", 0.0023, -0.0054, 0.04),
    ("bias-only", 0.0, -0.1100, 0.9),
    ("l2-sp", 0.0004, -0.0700, 0.6),
    ("head-only", -0.0006, -0.0950, 0.8),
    ("embedding-only", 0.0003, -0.1010, 0.85),
];
const TARGETS: [f64; 6] = [0.1, 0.2, 0.3, 0.8, 0.9, 0.95];

/// A finished run of those seeds; `methods` limits the number of methods and `models` that of models.
pub fn record(seeds: &[u64], models: usize, methods: usize) -> RunRecord {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut record = empty_record();
    for (&seed, (position, model)) in product(seeds, &MODELS[..models]) {
        record.models.push(model_record(model, seed));
        for protocol in ["natural", "planted-drift"] {
            for method in &METHODS[..methods] {
                record.cells.push(cell(&mut rng, model, position, seed, protocol, method));
            }
        }
        for target_ctr in TARGETS {
            for &(method, _, _, left_in) in &METHODS[..methods] {
                record.curve.push(curve_point(&mut rng, model, position, seed, method, target_ctr, left_in));
            }
        }
    }
    record
}

/// Rows of `count` users for every cell of [`record`].
pub fn users(seeds: &[u64], models: usize, methods: usize, count: u32) -> UserRows {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let mut users = UserRows::new((0..count).map(|user| format!("u{user}")).collect(), GLOBAL_CTR);
    for (&seed, (_, model)) in product(seeds, &MODELS[..models]) {
        for protocol in ["natural", "planted-drift"] {
            for &(method, _, _, left_in) in &METHODS[..methods] {
                let rows = (0..count).map(|user| user_row(&mut rng, user, protocol, left_in)).collect();
                let block =
                    UserBlock { model: (*model).into(), protocol: protocol.into(), method: method.into(), seed, rows };
                users.push(block).expect("users have keys");
            }
        }
    }
    users
}

fn product<'a>(seeds: &'a [u64], models: &'a [&'a str]) -> impl Iterator<Item = (&'a u64, (usize, &'a &'a str))> {
    seeds.iter().flat_map(move |seed| models.iter().enumerate().map(move |model| (seed, model)))
}

fn empty_record() -> RunRecord {
    RunRecord {
        schema_version: SCHEMA_VERSION,
        run_id: "20260131T120000Z".into(),
        name: "made-up".into(),
        started_at: "2026-01-31T12:00:00Z".into(),
        wall_seconds: 2_000.5,
        finished: true,
        code: CodeRecord {
            version: "0.1.0".into(),
            commit: Some("0123456789abcdef0123456789abcdef01234567".into()),
            dirty: Some(false),
            cargo_features: Vec::new(),
            profile: "release".into(),
        },
        system: SystemRecord {
            os: "Linux".into(),
            kernel: "6.1".into(),
            cpu_model: "a processor".into(),
            physical_cores: 2,
            logical_cores: 2,
            memory_bytes: 8 << 30,
            gpu: None,
            driver: None,
        },
        config: serde_json::json!({ "seeds": [1, 2, 3], "device": "cpu" }),
        dataset: serde_json::json!({ "dataset": "made-up", "split_hash": "00" }),
        judged_part: "test".into(),
        global_ctr: GLOBAL_CTR,
        models: Vec::new(),
        cells: Vec::new(),
        curve: Vec::new(),
        phases_seconds: BTreeMap::from([("train".into(), 100.25), ("fine-tune".into(), 1_900.25)]),
        peak_memory_bytes: Some(1 << 30),
    }
}

fn model_record(model: &str, seed: u64) -> ModelRecord {
    ModelRecord {
        model: model.into(),
        seed,
        parameters: 123_456,
        epochs_run: 3,
        best_epoch: 2,
        embedding_update: "row-sparse".into(),
        optimizer: "adam".into(),
        train_seconds: 20.5,
        train_rows_per_second: 100_000.0,
        train_devices: vec!["cpu".into()],
        train_metric_history: vec![0.75, 0.7625, 0.76],
        metrics: BTreeMap::from([("auc".into(), around(0.7625, 0.004))]),
    }
}

fn cell(
    rng: &mut ChaCha8Rng,
    model: &str,
    position: usize,
    seed: u64,
    protocol: &str,
    &(method, gauc, auc, _): &(&str, f64, f64, f64),
) -> CellRecord {
    let better = 0.002 * position as f64;
    let noise = rng.random_range(-0.0004..0.0004);
    // Under the natural protocol the drift of the local set is signal, so fine-tuning gains by it.
    let auc = if protocol == "natural" { -0.3 * auc } else { auc };
    let noise_of_change = if method == CLOUD { 0.0 } else { noise };
    let (gauc, auc) = (gauc + 0.3 * noise_of_change, auc + noise_of_change);
    let logloss = -0.9 * auc;
    let metrics = BTreeMap::from([
        ("gauc".into(), around(0.7190 + better + gauc + noise, 0.0052)),
        ("auc_user_mean".into(), around(0.7150 + better + gauc + noise, 0.0055)),
        ("auc".into(), around(0.7518 + better + auc + noise, 0.0061)),
        ("logloss".into(), around(0.5879 - better + logloss - noise, 0.0048)),
        ("ne".into(), around(0.8600 - better + logloss, 0.0050)),
        ("ece".into(), around(0.0300 + 0.5 * auc.abs(), 0.0040)),
        ("calibration_ratio".into(), around(1.0800 + auc, 0.0200)),
        ("ndcg@10".into(), around(0.7700 + better + gauc, 0.0060)),
    ]);
    let change = BTreeMap::from([
        ("gauc".into(), around(gauc, 0.0008)),
        ("auc_user_mean".into(), around(gauc, 0.0009)),
        ("auc".into(), around(auc, 0.0030)),
        ("logloss".into(), around(logloss, 0.0028)),
        ("ne".into(), around(logloss, 0.0030)),
        ("ece".into(), around(0.5 * auc.abs(), 0.0020)),
        ("calibration_ratio".into(), around(auc, 0.0100)),
        ("ndcg@10".into(), around(gauc, 0.0011)),
    ]);
    let cloud = method == CLOUD;
    CellRecord {
        model: model.into(),
        seed,
        protocol: protocol.into(),
        method: method.into(),
        users_evaluated: 5_432,
        users_excluded: BTreeMap::from([
            ("fewer than 20 local samples".into(), 400),
            ("one class in test".into(), 208),
        ]),
        one_class_users_clamped: 17,
        metrics,
        change: if cloud { BTreeMap::new() } else { change },
        fine_tune_seconds: if cloud { 0.0 } else { 2.25 },
        users_per_second: if cloud { 0.0 } else { 2_414.0 - 300.0 * position as f64 },
    }
}

fn curve_point(
    rng: &mut ChaCha8Rng,
    model: &str,
    position: usize,
    seed: u64,
    method: &str,
    target_ctr: f64,
    left_in: f64,
) -> CurvePoint {
    let drift = target_ctr - GLOBAL_CTR;
    let better = 0.002 * position as f64;
    let harm = left_in * drift * drift + rng.random_range(-0.002..0.002);
    let changes = [("gauc", -0.02 * harm), ("auc", -0.5 * harm), ("logloss", 1.6 * harm)];
    let of_cloud = [0.7190 + better, 0.7518 + better, 0.5879 - better];
    let metrics =
        changes.iter().zip(of_cloud).map(|((name, change), cloud)| ((*name).into(), around(cloud + change, 0.01)));
    let change = changes.iter().map(|(name, change)| ((*name).into(), around(*change, 0.002)));
    CurvePoint {
        model: model.into(),
        seed,
        method: method.into(),
        target_ctr,
        users: 905,
        metrics: metrics.collect(),
        change: if method == CLOUD { BTreeMap::new() } else { change.collect() },
    }
}

fn user_row(rng: &mut ChaCha8Rng, user: u32, protocol: &str, left_in: f64) -> UserRow {
    let uniform: Vec<f64> = (0..6).map(|_| rng.random_range(-1.0..1.0)).collect();
    let bell = uniform[..4].iter().sum::<f64>() / 2.0;
    let target_ctr = (protocol == "planted-drift").then(|| TARGETS[user as usize % TARGETS.len()]);
    let local_ctr = match target_ctr {
        Some(target) => (target + 0.01 * bell).clamp(0.0, 1.0),
        None => (GLOBAL_CTR + 0.19 * bell * 1.2).clamp(0.0, 1.0),
    };
    let drift: f64 = local_ctr - GLOBAL_CTR;
    let (auc_cloud, change) = (0.72 + 0.1 * bell, 0.01 + 0.05 * uniform[4] - 0.06 * left_in * drift.abs());
    UserRow {
        user,
        local_samples: rng.random_range(20..300),
        judged_samples: rng.random_range(5..60),
        local_ctr,
        target_ctr,
        auc_cloud,
        auc: (auc_cloud + change).clamp(0.0, 1.0),
        logloss_cloud: 0.58 + 0.1 * uniform[5],
        logloss: 0.58 + 0.1 * uniform[5] - change,
        seconds: 0.0005,
    }
}

fn around(value: f64, half_width: f64) -> Estimate {
    Estimate { value, low: value - half_width, high: value + half_width }
}

//! The cells of a run, by protocol, and its cloud models, averaged over seeds.

use std::collections::BTreeMap;

use ctr_metrics::{Estimate, Metric, mean};
use serde::{Deserialize, Serialize};

use super::{Change, Summary};
use crate::{CLOUD, CellRecord, CurvePoint, ModelRecord, PLANTED_DRIFT, RunRecord};

/// All models and methods under one protocol, or of it the users of one planted CTR, or all cloud models.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// `natural` or `planted-drift`; `cloud` where nothing is fine-tuned and the whole part judges.
    pub protocol: String,
    /// Name of the dataset.
    pub dataset: String,
    /// The CTR that the local sets of these users were resampled to; `None` where users are not told apart by it.
    pub target_ctr: Option<f64>,
    /// Part of the split that judged: `test` or `validation`.
    pub judged_part: String,
    /// Where the run's tensors lay, as `cpu` or `cuda:0`.
    pub device: String,
    /// Name of the GPU, if one was used and told its name.
    pub gpu: Option<String>,
    /// Precision of the factors of matrix products, as `float32`.
    pub matmul: String,
    /// AUC of the planted probabilities on the whole test part, where they are known and that part judged.
    pub bayes_auc: Option<f64>,
    /// Model by model, each in the order of its methods.
    pub rows: Vec<ComparisonRow>,
}

/// One model and method.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComparisonRow {
    /// Name of the model.
    pub model: String,
    /// Name of the method.
    pub method: String,
    /// The seeds averaged over.
    pub seeds: Vec<u64>,
    /// Users evaluated, mean over seeds.
    pub users_evaluated: f64,
    /// Metrics over the seeds that have them.
    pub metrics: BTreeMap<Metric, Summary>,
    /// Change from the cloud; empty for the cloud.
    pub change: BTreeMap<Metric, Change>,
    /// Users fine-tuned per second, mean over seeds; `None` for the cloud.
    pub users_per_second: Option<f64>,
}

impl Comparison {
    /// One comparison per protocol of a run. Protocols, models and methods keep the order in which the cells first name them.
    pub fn by_protocol(record: &RunRecord) -> Vec<Comparison> {
        in_order_of_appearance(&record.cells, |cell| &cell.protocol)
            .into_iter()
            .map(|(protocol, cells)| Comparison {
                rows: rows(cells.into_iter().map(Measured::of_cell)),
                ..Comparison::without_rows(record, protocol)
            })
            .collect()
    }

    /// One comparison per planted CTR, from the lowest to the highest, of the users that have it.
    pub fn by_target_ctr(record: &RunRecord) -> Vec<Comparison> {
        let mut targets: Vec<f64> = record.curve.iter().map(|point| point.target_ctr).collect();
        targets.sort_by(f64::total_cmp);
        targets.dedup();
        let of_target = |target: f64| Comparison {
            target_ctr: Some(target),
            // Known for all users only.
            bayes_auc: None,
            rows: rows(record.curve.iter().filter(|point| point.target_ctr == target).map(Measured::of_point)),
            ..Comparison::without_rows(record, PLANTED_DRIFT)
        };
        targets.into_iter().map(of_target).collect()
    }

    /// The cloud models, judged on the whole part: users that are not fine-tuned included.
    pub fn of_cloud_models(record: &RunRecord) -> Comparison {
        let users = record.dataset[&record.judged_part]["users"].as_u64().unwrap_or(0);
        let row = |(model, records): (&str, Vec<&ModelRecord>)| ComparisonRow {
            model: model.to_owned(),
            method: CLOUD.to_owned(),
            seeds: records.iter().map(|record| record.seed).collect(),
            users_evaluated: users as f64,
            metrics: metrics_over_seeds(|name| {
                records.iter().filter_map(|record| record.metrics.get(name).copied()).collect()
            }),
            change: BTreeMap::new(),
            users_per_second: None,
        };
        Comparison {
            rows: in_order_of_appearance(&record.models, |model| &model.model).into_iter().map(row).collect(),
            ..Comparison::without_rows(record, CLOUD)
        }
    }

    fn without_rows(record: &RunRecord, protocol: &str) -> Comparison {
        Comparison {
            protocol: protocol.to_owned(),
            dataset: record.dataset["dataset"].as_str().unwrap_or_default().to_owned(),
            target_ctr: None,
            judged_part: record.judged_part.clone(),
            device: setting(record, "device", "cpu"),
            gpu: gpu(record),
            matmul: setting(record, "matmul", "float32"),
            bayes_auc: bayes_auc(record),
            rows: Vec::new(),
        }
    }

    /// Name of its files, without extension.
    pub fn file_stem(&self) -> String {
        match self.target_ctr {
            Some(target) => format!("{}-{target}", self.protocol),
            None => self.protocol.clone(),
        }
    }

    /// What is compared, where it was computed and how exactly.
    pub fn heading(&self) -> String {
        format!("{}, {}", self.subject(), self.computed_on())
    }

    /// What is compared, in a few words.
    pub fn subject(&self) -> String {
        let (dataset, part) = (&self.dataset, &self.judged_part);
        match self.target_ctr {
            _ if self.protocol == CLOUD => format!("cloud models on {dataset}, judged on the whole {part} part"),
            Some(target) => {
                format!(
                    "{} protocol on {dataset}, users of target CTR {target}, judged on the {part} part",
                    self.protocol
                )
            }
            None => format!("{} protocol on {dataset}, judged on the {part} part", self.protocol),
        }
    }

    /// Device and precision, as `on cuda:0 (NVIDIA H200) with tf32 products`.
    pub fn computed_on(&self) -> String {
        let precision = if self.matmul == "float32" { "" } else { &format!(" with {} products", self.matmul) };
        let gpu = self.gpu.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
        format!("on {}{gpu}{precision}", self.device)
    }

    /// Whether any row has a change from the cloud.
    pub fn has_changes(&self) -> bool {
        self.rows.iter().any(|row| !row.change.is_empty())
    }

    /// The models in order.
    pub fn models(&self) -> Vec<&str> {
        let mut models: Vec<&str> = self.rows.iter().map(|row| row.model.as_str()).collect();
        models.dedup();
        models
    }

    /// The methods of one model in order.
    pub fn rows_of<'a>(&'a self, model: &'a str) -> impl Iterator<Item = &'a ComparisonRow> {
        self.rows.iter().filter(move |row| row.model == model)
    }

    /// The largest number of seeds of a row.
    pub fn seeds(&self) -> usize {
        self.rows.iter().map(|row| row.seeds.len()).max().unwrap_or(0)
    }
}

/// What a row is made of: a method's results on one model of one seed.
struct Measured<'a> {
    model: &'a String,
    method: &'a String,
    seed: u64,
    users: u64,
    users_per_second: f64,
    metrics: &'a BTreeMap<String, Estimate>,
    change: &'a BTreeMap<String, Estimate>,
}

impl<'a> Measured<'a> {
    fn of_cell(cell: &'a CellRecord) -> Self {
        Self {
            model: &cell.model,
            method: &cell.method,
            seed: cell.seed,
            users: cell.users_evaluated,
            users_per_second: cell.users_per_second,
            metrics: &cell.metrics,
            change: &cell.change,
        }
    }

    /// Speed is known of all users of a cell only.
    fn of_point(point: &'a CurvePoint) -> Self {
        Self {
            model: &point.model,
            method: &point.method,
            seed: point.seed,
            users: point.users,
            users_per_second: 0.0,
            metrics: &point.metrics,
            change: &point.change,
        }
    }
}

/// One row per model and method.
fn rows<'a>(measured: impl Iterator<Item = Measured<'a>>) -> Vec<ComparisonRow> {
    let measured: Vec<Measured> = measured.collect();
    in_order_of_appearance(&measured, |one| one.model)
        .into_iter()
        .flat_map(|(_, of_model)| in_order_of_appearance(of_model, |one| one.method))
        .map(|(_, of_method)| ComparisonRow::over_seeds(&of_method))
        .collect()
}

impl ComparisonRow {
    /// `cells` differ in their seed only and are not empty.
    fn over_seeds(cells: &[&Measured]) -> Self {
        let collect = |name: &str, of: for<'m> fn(&'m Measured) -> &'m BTreeMap<String, Estimate>| -> Vec<Estimate> {
            cells.iter().filter_map(|cell| of(cell).get(name).copied()).collect()
        };
        let metrics = metrics_over_seeds(|name| collect(name, |cell| cell.metrics));
        let fewest_users = cells.iter().map(|cell| cell.users).min().unwrap_or(0);
        let change = metrics
            .iter()
            .filter_map(|(&metric, summary)| {
                let changes = collect(metric.name(), |cell| cell.change);
                Some((metric, Change::over_seeds(metric, summary.value, &changes, fewest_users)?))
            })
            .collect();
        let column = |of: fn(&Measured) -> f64| mean(&cells.iter().map(|cell| of(cell)).collect::<Vec<f64>>());
        Self {
            model: cells[0].model.clone(),
            method: cells[0].method.clone(),
            seeds: cells.iter().map(|cell| cell.seed).collect(),
            users_evaluated: column(|cell| cell.users as f64).unwrap_or(0.0),
            metrics,
            change,
            users_per_second: column(|cell| cell.users_per_second).filter(|&rate| rate > 0.0),
        }
    }
}

/// A setting of the run's configuration, which leaves `matmul` out where it is the default.
fn setting(record: &RunRecord, key: &str, default: &str) -> String {
    record.config[key].as_str().unwrap_or(default).to_owned()
}

fn gpu(record: &RunRecord) -> Option<String> {
    record.system.gpu.clone().filter(|_| setting(record, "device", "cpu").starts_with("cuda"))
}

/// The ceiling of `auc` on the judged part, where it is known.
fn bayes_auc(record: &RunRecord) -> Option<f64> {
    record.dataset["bayes_auc"].as_f64().filter(|_| record.judged_part == "test")
}

/// Every metric that any seed has; `of` gives those of one name.
fn metrics_over_seeds(of: impl Fn(&str) -> Vec<Estimate>) -> BTreeMap<Metric, Summary> {
    Metric::ALL.into_iter().filter_map(|metric| Some((metric, Summary::over_seeds(&of(metric.name()))?))).collect()
}

/// Groups records by a name, groups and members in order of first appearance.
fn in_order_of_appearance<'a, T>(
    records: impl IntoIterator<Item = &'a T>,
    name: fn(&T) -> &String,
) -> Vec<(&'a str, Vec<&'a T>)> {
    let mut groups: Vec<(&str, Vec<&T>)> = Vec::new();
    for record in records {
        match groups.iter_mut().find(|group| group.0 == name(record)) {
            Some(group) => group.1.push(record),
            None => groups.push((name(record), vec![record])),
        }
    }
    groups
}

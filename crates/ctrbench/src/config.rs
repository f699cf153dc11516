//! The configuration of a run: defaults, overwritten by a file, overwritten by the command line.

use crate::{cli::ConfigArgs, models, overrides};
use anyhow::{Context, Result, anyhow, bail};
use ctr_data::{DatasetConfig, Split};
use ctr_metrics::Bootstrap;
use ctr_nn::{DeviceChoice, MatmulPrecision};
use ctr_personalize::{CLOUD, FineTuningConfig, Method, PlantedDrift};
use ctr_train::TrainingConfig;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fs, path::Path, path::PathBuf};
use toml::{Table, Value};

const QUICKSTART: &str = include_str!("../../../configs/quickstart.toml");

/// With fewer, none lies beyond either end of a 95 % interval.
const FEWEST_RESAMPLES: usize = 40;

/// Everything that a run's results depend on, and where they go.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// Name of the run: a folder below `results_dir`.
    pub name: String,
    /// One cloud model per model and seed.
    #[serde(default = "default_seeds")]
    pub seeds: Vec<u64>,
    /// Where run folders are made.
    #[serde(default = "default_results_dir")]
    pub results_dir: PathBuf,
    /// `auto`, `cpu`, `cuda`, `cuda:<n>` or `metal`; a run replaces `auto` by what it opened.
    #[serde(default = "default_device")]
    pub device: String,
    /// Precision of matrix products: `float32`, `tf32` (CUDA only) or `bf16` (CUDA and CPU).
    #[serde(default = "default_matmul", skip_serializing_if = "is_default_matmul")]
    pub matmul: String,
    /// Threads; 0 takes every core.
    #[serde(default)]
    pub threads: usize,
    /// Models to train, by name.
    #[serde(default = "default_models")]
    pub models: Vec<String>,
    /// Rows of the tables beside `cloud`.
    #[serde(default = "default_methods")]
    pub methods: Vec<String>,
    /// Which local sets users have; none: cloud models are trained and judged, and nothing is fine-tuned.
    #[serde(default = "default_protocols")]
    pub protocols: Vec<Protocol>,
    /// Part of the split on which models and methods are judged.
    #[serde(default)]
    pub judged_part: JudgedPart,
    /// What is loaded and how it is split.
    pub dataset: DatasetConfig,
    /// How cloud models are trained.
    #[serde(default)]
    pub training: TrainingConfig,
    /// How users' copies are fine-tuned.
    #[serde(default)]
    pub fine_tuning: FineTuningConfig,
    /// Which drift the second protocol plants.
    #[serde(default)]
    pub planted_drift: PlantedDrift,
    /// Intervals over users.
    #[serde(default)]
    pub bootstrap: Bootstrap,
    /// Settings by model name; `kind` names the architecture where the name is another one.
    #[serde(default)]
    pub model: BTreeMap<String, Table>,
}

/// Which local set a user has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// As observed.
    Natural,
    /// Resampled to a target CTR.
    PlantedDrift,
}

/// Which part of the split judges. Settings are chosen on the validation part, results are reported on the test part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JudgedPart {
    /// For choosing settings, so that the test part stays unseen.
    Validation,
    /// For results.
    #[default]
    Test,
}

impl JudgedPart {
    /// The part of the dataset.
    pub fn split(self) -> Split {
        match self {
            JudgedPart::Validation => Split::Validation,
            JudgedPart::Test => Split::Test,
        }
    }
}

impl Protocol {
    /// Name in records and files.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Natural => "natural",
            Protocol::PlantedDrift => ctr_report::PLANTED_DRIFT,
        }
    }
}

fn default_seeds() -> Vec<u64> {
    vec![1]
}

fn default_results_dir() -> PathBuf {
    "results".into()
}

fn default_device() -> String {
    "cpu".into()
}

fn default_matmul() -> String {
    MatmulPrecision::default().to_string()
}

fn is_default_matmul(matmul: &String) -> bool {
    *matmul == default_matmul()
}

fn default_models() -> Vec<String> {
    models::MODELS.iter().map(|entry| entry.name.to_owned()).collect()
}

fn default_methods() -> Vec<String> {
    let corrections = ctr_personalize::CORRECTIONS.iter().map(|correction| correction.name);
    let references = ctr_personalize::REFERENCE_METHODS.iter().map(|(name, ..)| *name).filter(|name| *name != CLOUD);
    corrections.chain(references).map(str::to_owned).collect()
}

fn default_protocols() -> Vec<Protocol> {
    vec![Protocol::Natural, Protocol::PlantedDrift]
}

impl RunConfig {
    /// Reads the file (or the built-in quickstart), applies `--set` and `--data-dir`, and checks every value.
    pub fn load(args: &ConfigArgs) -> Result<Self> {
        let mut changes = Vec::new();
        if let Some(folder) = &args.data_dir {
            let folder = folder.to_str().with_context(|| format!("--data-dir {folder:?} is not valid UTF-8"))?;
            changes.push(("dataset.data_dir".to_owned(), Value::String(folder.to_owned())));
        }
        if let Some(rule) = &args.bad_rows {
            changes.push(("dataset.bad_rows".to_owned(), Value::String(rule.clone())));
        }
        match &args.config {
            None => Self::from_text(QUICKSTART, "the built-in quickstart", &args.set, changes),
            Some(path) => {
                let text = fs::read_to_string(path).map_err(|cause| {
                    anyhow!("{}: cannot be read ({cause}); {}", path.display(), other_configurations())
                })?;
                Self::from_text(&text, &path.display().to_string(), &args.set, changes)
            }
        }
    }

    /// Reads the configuration that an earlier run left in its folder.
    pub fn load_resolved(folder: &Path) -> Result<Self> {
        let path = folder.join("config.toml");
        let text = fs::read_to_string(&path).map_err(|cause| {
            anyhow!(
                "--resume {}: not the folder of a run, as a run prints it at its end: its config.toml cannot be read ({cause})",
                folder.display()
            )
        })?;
        Self::from_text(&text, &path.display().to_string(), &[], Vec::new())
    }

    fn from_text(text: &str, origin: &str, set: &[String], changes: Vec<(String, Value)>) -> Result<Self> {
        let in_file = |error: toml::de::Error| {
            let message = without_rust_types(&error.to_string());
            anyhow!("{origin}: {}\ndocs/configuration.md lists every key with its type", message.trim_end())
        };
        let changed_by = if set.is_empty() { String::new() } else { format!(" with --set {}", set.join(" --set ")) };
        let config: Self = if set.is_empty() && changes.is_empty() {
            // Straight from the text, so that an error names the line.
            toml::from_str(text).map_err(in_file)?
        } else {
            let mut table: Table = text.parse().map_err(in_file)?;
            insert_default_optimizers(&mut table)?;
            for assignment in set {
                overrides::apply(&mut table, assignment)?;
            }
            for (key, value) in changes {
                overrides::set(&mut table, &key, value)?;
            }
            Self::deserialize(table)
                .map_err(|error| anyhow!("{origin}{changed_by}: {}", without_rust_types(&error.to_string())))?
        };
        config.resolve().with_context(|| format!("{origin}{changed_by}"))
    }

    /// Checks every value and fills in the defaults of every model.
    pub fn resolve(mut self) -> Result<Self> {
        ctr_report::check_run_name(&self.name).context("name")?;
        if self.results_dir.as_os_str().is_empty() {
            bail!("results_dir is empty; give a folder, `.` for this one");
        }
        if self.results_dir.join(&self.name) == self.dataset.cache_dir {
            bail!("name is `{}`, but datasets are cached in that folder; choose another name", self.name);
        }
        ctr_data::check_name(&self.dataset.name).context("dataset.name")?;
        self.dataset.validate()?;
        let of_dataset = ctr_data::default_config(&self.dataset.name).context("dataset.name")?;
        self.dataset.split = self.dataset.split.or(of_dataset.split);
        self.dataset.negatives = self.dataset.negatives.or(of_dataset.negatives);
        self.training.validate().map_err(|message| anyhow!("training.{message}"))?;
        self.fine_tuning.validate().map_err(|message| anyhow!("fine_tuning.{message}"))?;
        self.planted_drift.validate().map_err(|message| anyhow!("planted_drift.{message}"))?;
        for (name, count) in [("seeds", self.seeds.len()), ("models", self.models.len())] {
            if count == 0 {
                bail!("{name} is empty; give at least one");
            }
        }
        let Bootstrap { resamples, confidence, .. } = self.bootstrap;
        if resamples < FEWEST_RESAMPLES || confidence != 0.95 {
            bail!(
                "bootstrap has {resamples} resamples at confidence {confidence}; use at least {FEWEST_RESAMPLES} resamples, and 0.95, which is what tables and plots are labelled with"
            );
        }
        unique("seeds", &self.seeds)?;
        unique("models", &self.models)?;
        // It always runs, as the baseline.
        self.methods.retain(|name| name != CLOUD);
        unique("methods", &self.methods)?;
        unique("protocols", &self.protocols.iter().map(|protocol| protocol.name()).collect::<Vec<_>>())?;
        if let Some(seed) = self.seeds.iter().find(|seed| i64::try_from(**seed).is_err()) {
            bail!("seeds lists {seed}; the largest that TOML can hold is {}", i64::MAX);
        }
        distinct(&self.fine_tuning_methods()?)?;
        self.device()?;
        self.matmul_precision()?;
        if let Some(name) = self.model.keys().find(|name| !self.models.contains(name)) {
            bail!("[model.{name}] is set, but models lists only {}", self.models.join(", "));
        }
        for name in &self.models {
            let settings = self.model.remove(name).unwrap_or_default();
            let resolved = models::resolve(name, settings, self.dataset.history_length)?;
            self.model.insert(name.clone(), resolved);
        }
        Ok(self)
    }

    /// The methods that fine-tune: all but `cloud`, which always runs.
    pub fn fine_tuning_methods(&self) -> Result<Vec<Method>> {
        self.methods.iter().map(|name| Method::parse(name).context("methods")).collect()
    }

    /// The precision of matrix products by name.
    pub fn matmul_precision(&self) -> Result<MatmulPrecision> {
        self.matmul.parse().map_err(|message: String| anyhow!("matmul: {message}"))
    }

    /// The device by name.
    pub fn device(&self) -> Result<DeviceChoice> {
        self.device.parse().context("device")
    }
}

/// The types of numbers and lists as a reader of a configuration knows them, not as Rust names them.
pub fn without_rust_types(message: &str) -> String {
    let types = [
        ("expected usize", "expected a whole number of at least 0"),
        ("expected u64", "expected a whole number of at least 0"),
        ("expected u32", "expected a whole number of at least 0"),
        ("expected u8", "expected a whole number from 0 to 255"),
        ("expected f64", "expected a number"),
        ("expected a sequence", "expected a list, as in [1, 2]"),
        ("expected a map", "expected a table of keys"),
    ];
    types.iter().fold(message.to_owned(), |message, (rust, words)| message.replace(rust, words))
}

/// What to give instead of a file that is not there.
fn other_configurations() -> String {
    let inside = |folder: &Path| -> Vec<PathBuf> {
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    };
    let is_toml = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "toml");
    let entries = inside(Path::new("configs"));
    let nested = entries.iter().flat_map(|path| inside(path));
    let mut files: Vec<String> =
        entries.iter().cloned().chain(nested).filter(is_toml).map(|path| path.display().to_string()).collect();
    files.sort();
    if files.is_empty() {
        return "without a file, `ctrbench run` takes the built-in quickstart".to_owned();
    }
    format!("there are {}", files.join(", "))
}

/// Gives a change of one optimizer key something to change where the file names no optimizer.
fn insert_default_optimizers(table: &mut Table) -> Result<()> {
    for (part, optimizer) in
        [("training", TrainingConfig::default().optimizer), ("fine_tuning", FineTuningConfig::default().optimizer)]
    {
        let named = table.get(part).and_then(|part| part.get("optimizer")).is_some();
        if !named {
            overrides::set(table, &format!("{part}.optimizer"), Value::try_from(optimizer)?)?;
        }
    }
    Ok(())
}

/// Two names of one method would make two rows of equal figures.
fn distinct(methods: &[Method]) -> Result<()> {
    for (i, method) in methods.iter().enumerate() {
        if let Some(same) = methods[..i].iter().find(|earlier| earlier.has_parts_of(method)) {
            bail!("methods lists `{}` and `{}`, which do the same; keep one", same.name, method.name);
        }
    }
    Ok(())
}

fn unique<T: PartialEq + std::fmt::Display>(key: &str, values: &[T]) -> Result<()> {
    match values.iter().enumerate().find(|(i, value)| values[..*i].contains(value)) {
        Some((_, value)) => bail!("{key} lists {value} twice; keep one"),
        None => Ok(()),
    }
}

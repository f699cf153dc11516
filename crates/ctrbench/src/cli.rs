//! The command line.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Benchmark of click-through-rate models fine-tuned on each user's device, with label correction.
#[derive(Debug, Parser)]
#[command(name = "ctrbench", version, about, long_about = None)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train cloud models, fine-tune them per user with every correction, and write tables and plots.
    Run(RunArgs),
    /// List, fetch, check and prepare datasets.
    Data {
        /// What to do with a dataset.
        #[command(subcommand)]
        command: DataCommand,
    },
    /// List the models with their parameter counts for a configuration.
    Models(ModelsArgs),
    /// List the label corrections and the other methods, with formula and source.
    Corrections(OutputArgs),
    /// Measure what this machine can do at best: matrix products and copying.
    Hardware(HardwareArgs),
}

/// Commands on datasets.
#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// List the datasets with published counts, terms and what can be done with them.
    List(OutputArgs),
    /// Fetch the official files of a dataset into its subfolder of the data folder.
    Download(DownloadArgs),
    /// Read all files of a dataset and hold their counts against the published ones.
    Verify(DatasetArgs),
    /// Load a dataset and print counts, label rates, local-CTR quantiles, split facts and the split guard's verdict.
    Inspect(DatasetArgs),
    /// Load a dataset into the cache, so that runs start at once; prints its size and what it took.
    Prepare(DatasetArgs),
}

/// A configuration and changes to it.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// Configuration file; without one, the built-in quickstart.
    pub config: Option<PathBuf>,
    /// Change a key, as in --set training.epochs=3; may be given several times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Folder that holds one subfolder per dataset name.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// What happens to lines that cannot be read: error or skip.
    #[arg(long, value_name = "RULE", value_parser = ["error", "skip"])]
    pub bad_rows: Option<String>,
}

/// How to print.
#[derive(Debug, Clone, Copy, Args)]
pub struct OutputArgs {
    /// Print JSON instead of text.
    #[arg(long)]
    pub json: bool,
    /// Print nothing but the result.
    #[arg(long)]
    pub quiet: bool,
    /// Print progress as plain lines, without a bar.
    #[arg(long)]
    pub no_progress: bool,
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Run one seed.
    #[arg(long, conflicts_with = "seeds")]
    pub seed: Option<u64>,
    /// Run these seeds, as in --seeds 1,2,3.
    #[arg(long, value_delimiter = ',')]
    pub seeds: Option<Vec<u64>>,
    /// Device: cpu, cuda, cuda:N (the ordinal), metal, or auto: the first of cuda:0, metal and cpu that is there.
    #[arg(long)]
    pub device: Option<String>,
    /// Precision of matrix products: float32, tf32 (CUDA only) or bf16 (CUDA and CPU).
    #[arg(long, value_name = "PRECISION")]
    pub matmul: Option<String>,
    /// Make a GPU give the same bytes in every run: chunks of users of a constant size, whatever memory is free.
    #[arg(long)]
    pub deterministic: bool,
    /// Threads; 0 takes every core. The results do not depend on it (on a GPU with --deterministic).
    #[arg(long)]
    pub threads: Option<usize>,
    /// Continue the run in this folder: its configuration is taken over, finished training is not repeated (fine-tuning is), and
    /// a run that is finished is only shown.
    #[arg(long, value_name = "RUN_FOLDER", conflicts_with_all = ["config", "set", "seed", "seeds", "bad_rows", "matmul", "deterministic"])]
    pub resume: Option<PathBuf>,
    /// How to print.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `data download`.
#[derive(Debug, Args)]
pub struct DownloadArgs {
    /// The dataset.
    #[command(flatten)]
    pub dataset: DatasetArgs,
    /// Accept the dataset's terms, which are shown without this; needed once.
    #[arg(long, visible_alias = "accept-licence")]
    pub accept_license: bool,
}

/// A dataset, and changes to its configuration.
#[derive(Debug, Args)]
pub struct DatasetArgs {
    /// Name of the dataset (`ctrbench data list` has them all), or the path of a descriptor of your own, which ends in .toml.
    pub dataset: String,
    /// What happens to lines that cannot be read: error or skip.
    #[arg(long, value_name = "RULE", value_parser = ["error", "skip"])]
    pub bad_rows: Option<String>,
    /// Folder that holds one subfolder per dataset name.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Change a key of the dataset's configuration, as in --set split="global-temporal".
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// How to print.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `hardware`.
#[derive(Debug, Args)]
pub struct HardwareArgs {
    /// Threads; 0 takes every core.
    #[arg(long, default_value_t = 0)]
    pub threads: usize,
    /// How to print.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `models`.
#[derive(Debug, Args)]
pub struct ModelsArgs {
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// How to print.
    #[command(flatten)]
    pub output: OutputArgs,
}

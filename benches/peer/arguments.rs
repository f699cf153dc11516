//! The command line.

use clap::{Args, Parser, Subcommand, ValueEnum};
use ctr_nn::{DeviceChoice, MatmulPrecision};
use std::path::PathBuf;

/// Our half of the comparison with PyTorch.
#[derive(Debug, Parser)]
pub struct Arguments {
    /// Threads of the work.
    #[arg(long, default_value_t = 2)]
    pub threads: usize,
    /// Folder for what the other half reads.
    #[arg(long)]
    pub export: PathBuf,
    /// Device of training and fine-tuning: cpu, cuda, cuda:N or metal.
    #[arg(long, global = true, default_value = "cpu")]
    pub device: DeviceChoice,
    /// Precision of matrix products: float32, tf32 (CUDA only) or bf16 (CUDA and CPU).
    #[arg(long, global = true, default_value_t)]
    pub matmul: MatmulPrecision,
    #[command(subcommand)]
    pub job: Job,
}

/// What is compared.
#[derive(Debug, Subcommand)]
pub enum Job {
    /// Steps of cloud training.
    Training(TrainingArguments),
    /// Every user's copy fine-tuned and its samples ranked.
    FineTuning(FineTuningArguments),
    /// One request: a user's copy scores candidates.
    Inference {
        model: Model,
        #[arg(long)]
        candidates: usize,
    },
    /// AUC and GAUC.
    Metrics {
        #[arg(long)]
        predictions: usize,
    },
    /// MovieLens-1M from its raw files to the end of the first epoch.
    Loading {
        #[arg(long)]
        data_dir: PathBuf,
    },
    /// Validation AUC on MovieLens-1M after equal epochs.
    Quality(QualityArguments),
}

/// Cloud training on uniform samples.
#[derive(Debug, Args)]
pub struct TrainingArguments {
    pub model: Model,
    /// Table rows.
    #[arg(long)]
    pub vocabulary: u32,
    /// Steps of one round.
    #[arg(long)]
    pub steps: usize,
    #[arg(long, default_value_t = 4096)]
    pub batch_size: usize,
    /// Samples that are scored after the epoch.
    #[arg(long, default_value_t = 4096)]
    pub held_out: usize,
    /// Leave out the dense rule, which takes long with a large table.
    #[arg(long, conflicts_with = "every_row")]
    pub touched_only: bool,
    /// Time the dense rule, by which every step moves every table row, in place of the row-sparse one.
    #[arg(long)]
    pub every_row: bool,
}

/// Cloud training on MovieLens-1M.
#[derive(Debug, Args)]
pub struct QualityArguments {
    pub model: Model,
    #[arg(long)]
    pub epochs: usize,
    #[arg(long)]
    pub data_dir: PathBuf,
    /// By the dense rule alone, by which every step moves every table row.
    #[arg(long)]
    pub every_row: bool,
}

/// Fine-tuning of synthetic users.
#[derive(Debug, Args)]
pub struct FineTuningArguments {
    pub model: Model,
    #[arg(long)]
    pub users: u32,
    /// Users of one batched pass; the engine's default where absent.
    #[arg(long)]
    pub chunk_users: Option<usize>,
    /// Users of one batched pass that each round times as well.
    #[arg(long, value_delimiter = ',')]
    pub other_chunks: Vec<usize>,
    /// Epochs of the cloud model.
    #[arg(long, default_value_t = 2)]
    pub cloud_epochs: usize,
    /// Folder of dataset and cloud weights, used where it holds them and filled where not; the export folder where absent.
    #[arg(long)]
    pub cloud: Option<PathBuf>,
}

/// The models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Model {
    Lr,
    Fm,
    #[value(name = "deepfm")]
    DeepFm,
    Din,
    Dcn,
}

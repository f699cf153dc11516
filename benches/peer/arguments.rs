//! The command line.

use clap::{Parser, Subcommand, ValueEnum};
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
    #[command(subcommand)]
    pub job: Job,
}

/// What is compared.
#[derive(Debug, Subcommand)]
pub enum Job {
    /// Steps of cloud training with batch 4096.
    Training {
        model: Model,
        /// Table rows.
        #[arg(long)]
        vocabulary: u32,
        /// Steps of one round.
        #[arg(long)]
        steps: usize,
    },
    /// Every user's copy fine-tuned and its samples ranked.
    FineTuning {
        model: Model,
        #[arg(long)]
        users: u32,
        /// Users of one batched pass; the engine's default where absent.
        #[arg(long)]
        chunk_users: Option<usize>,
    },
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
    Quality {
        model: Model,
        #[arg(long)]
        epochs: usize,
        #[arg(long)]
        data_dir: PathBuf,
    },
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

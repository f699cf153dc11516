//! The synthetic dataset: a planted click model whose true probabilities are known.

mod config;
mod generate;
mod planted;

pub use config::SyntheticConfig;
pub(crate) use generate::generate;

//! Deep & Cross Network (Wang et al. 2017, arXiv 1708.05123): a stack of cross layers in parallel with a multi-layer
//! perceptron, both over the concatenated embeddings, `logit = w^T [cross; deep] + bias`. The cross layers of DCN-V2
//! (Wang et al. 2021, arXiv 2008.13535) are an option.

mod config;
mod cross;
mod model;

pub use config::{Cross, DcnConfig};
pub use model::Dcn;

//! Deep Interest Network (Zhou et al. 2018, arXiv 1706.06978): the embeddings of all fields beside a summary of the
//! user's history in which each past item counts by its relevance to the candidate item,
//! `logit = mlp([v_1; …; v_F; interest]) + bias`.

mod attention;
mod config;
mod model;

pub use config::{AttentionActivation, DinConfig};
pub use model::Din;

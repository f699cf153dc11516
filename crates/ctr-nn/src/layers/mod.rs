//! Layers with a replica axis.

mod batch_norm;
mod dropout;
mod linear;
mod mlp;

pub use batch_norm::BatchNorm;
pub use linear::Linear;
pub use mlp::{Mlp, MlpConfig};

//! Layers with a replica axis.

mod batch_norm;
mod dense_stack;
mod dropout;
mod linear;
mod mlp;

pub use batch_norm::BatchNorm;
pub use dense_stack::{DenseStack, DenseStep};
pub use linear::Linear;
pub use mlp::{Mlp, MlpConfig};

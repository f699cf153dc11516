//! The neural building blocks of ctrbench on candle: parameters with a replica axis, layers, loss, optimizers and the
//! trait that every CTR model implements.
//!
//! # The replica axis
//! Every tensor in a forward pass carries a leading axis `R` of independent model copies: dense weights `[R, in, out]`,
//! embedding rows `[R, N, D]`, logits `[R, B]`. Cloud training is `R = 1`; per-user fine-tuning is `R` = users in a
//! chunk. A loss summed over replicas never mixes their gradients, so one forward serves both.

mod activation;
mod batch;
mod checkpoint;
mod context;
#[cfg(feature = "cuda")]
mod cuda;
mod device;
mod device_memory;
mod direct_gradients;
mod field_slots;
mod initializer;
mod layers;
mod leaves;
mod logit_sum;
mod matmul_precision;
mod model;
mod ops;
mod optimizer;
mod optimizer_plain;
mod parameters;
mod row_gradients;
mod row_order;
mod row_pieces;
mod seed;
mod table_lookups;

pub use activation::Activation;
pub use batch::{Batch, BatchLayout, FieldMeans};
pub use checkpoint::{CheckpointError, load_tensors, save_tensors};
pub use context::{Context, Mode, NormStatistics};
pub use device::{DeviceChoice, DeviceError, OpenedDevice};
pub use device_memory::{free_device_bytes, is_out_of_memory};
pub use direct_gradients::{DetachedParameter, DirectGradients};
pub use field_slots::FieldSlots;
pub use initializer::Initializer;
pub use layers::{BatchNorm, DenseStack, DenseStep, Linear, Mlp, MlpConfig};
pub use leaves::Leaves;
pub use logit_sum::LogitSum;
pub use matmul_precision::MatmulPrecision;
pub use model::{CtrModel, ModelConfig, ModelInput};
pub use ops::{
    Backward, CrossGradients, Crossed, PADDING_ROW, Rows, VectorCross, add_fm_interaction_grad, affine, bce_backward,
    bce_with_logits, bias_add, dense_matmul, fm_interaction, fm_interaction_grad, gather_rows_as_variable,
    has_cpu_kernels, interact_keys, repeat_as_variable, weighted_sum,
};
pub use optimizer::{Algorithm, OptimizerConfig, Step};
pub use parameters::{Group, Kind, ParameterSpec, Parameters};
pub use row_gradients::RowGradients;
pub use row_order::RowOrder;
pub use seed::{SeededRng, seeded_rng};
pub use table_lookups::TableLookUps;

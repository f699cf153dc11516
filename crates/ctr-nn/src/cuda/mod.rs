//! The CUDA side of the fused operations: kernels of our own (`cuda/*.cu`) and products by cuBLAS.
//!
//! Every function queues its work on the device's one stream and returns; the order of the calls is the order of the work. Its
//! tensors are contiguous, out of the graph and on one CUDA device. Outputs are allocated in stream order, so a tensor may be
//! dropped as soon as the call that reads it has returned.

mod dense;
mod ffi;
mod memory;
mod products;
mod rows;
mod terms;

pub(crate) use dense::{add_bias, mask_positive, rectify, sum_rows};
pub(crate) use memory::{free_bytes, keep_freed_memory};
pub(crate) use products::{Factor, add_product, product};
pub(crate) use rows::{SortedLookups, gather_rows, gather_rows_as_variable, repeat_as_variable, update_rows};
pub(crate) use terms::{
    bce, bce_grad, field_means, field_means_grad, fm_pairs, fm_pairs_grad, repeat_fields, sum_fields,
};

//! The launchers of `cuda/*.cu`. Each returns a CUDA error code, 0 for success.

use crate::ops::Update;
use candle_core::cuda_backend::cudarc::driver::sys::CUstream;

/// `UpdateRule` of `update_rule.cuh`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct UpdateRule {
    rule: i32,
    learning_rate: f32,
    l2: f32,
    epsilon: f32,
    beta1: f32,
    beta2: f32,
    complement1: f32,
    complement2: f32,
    step_size: f32,
    second_moment_correction: f32,
    decay: f32,
}

impl UpdateRule {
    /// The gradient itself is written.
    pub const WRITE: Self = Self {
        rule: 0,
        learning_rate: 0.0,
        l2: 0.0,
        epsilon: 0.0,
        beta1: 0.0,
        beta2: 0.0,
        complement1: 0.0,
        complement2: 0.0,
        step_size: 0.0,
        second_moment_correction: 0.0,
        decay: 0.0,
    };
}

impl From<Update> for UpdateRule {
    fn from(update: Update) -> Self {
        match update {
            Update::Sgd { learning_rate, l2 } => Self { rule: 1, learning_rate, l2, ..Self::WRITE },
            Update::Adam { beta1, beta2, complements, l2, step_size, second_moment_correction, epsilon, decay } => {
                Self {
                    rule: 2,
                    beta1,
                    beta2,
                    complement1: complements[0],
                    complement2: complements[1],
                    l2,
                    step_size,
                    second_moment_correction,
                    epsilon,
                    decay,
                    ..Self::WRITE
                }
            }
            Update::Adagrad { learning_rate, epsilon, l2 } => {
                Self { rule: 3, learning_rate, epsilon, l2, ..Self::WRITE }
            }
        }
    }
}

unsafe extern "C" {
    pub fn ctr_gather_rows(
        table: *const f32,
        ids: *const u32,
        out: *mut f32,
        count: usize,
        dim: u32,
        rows: u32,
        stream: CUstream,
    ) -> i32;
    pub fn ctr_sort_lookups_scratch(count: usize, bits: i32, bytes: *mut usize) -> i32;
    pub fn ctr_sort_lookups(
        scratch: *mut u8,
        bytes: usize,
        ids: *const u32,
        rows: *mut u32,
        numbers: *mut u32,
        positions: *mut u32,
        count: usize,
        bits: i32,
        stream: CUstream,
    ) -> i32;
    pub fn ctr_update_looked_up(
        rows: *const u32,
        positions: *const u32,
        grads: *const f32,
        count: usize,
        dim: u32,
        values: *mut f32,
        state: *mut f32,
        table_rows: u32,
        rule: UpdateRule,
        tile_len: u32,
        partial_sums: *mut f32,
        stream: CUstream,
    ) -> i32;
    pub fn ctr_update_rows(
        values: *mut f32,
        state: *mut f32,
        grads: *const f32,
        rule: UpdateRule,
        active: *const u32,
        rows: usize,
        row_len: u32,
        stream: CUstream,
    ) -> i32;
    pub fn ctr_add_bias(
        x: *mut f32,
        bias: *const f32,
        count: usize,
        width: u32,
        rows_per_bias: u32,
        rectified: i32,
        stream: CUstream,
    ) -> i32;
    pub fn ctr_rectify(x: *mut f32, count: usize, stream: CUstream) -> i32;
    pub fn ctr_mask_positive(grad: *mut f32, y: *const f32, count: usize, stream: CUstream) -> i32;
    pub fn ctr_sum_rows(
        x: *const f32,
        sums: *mut f32,
        slices: *mut f32,
        runs: u32,
        rows: u32,
        width: u32,
        rows_per_slice: u32,
        stream: CUstream,
    ) -> i32;
    pub fn ctr_bce(
        logits: *const f32,
        targets: *const f32,
        weights: *const f32,
        losses: *mut f32,
        replicas: u32,
        batch: u32,
        slice_len: u32,
        stream: CUstream,
    ) -> i32;
    pub fn ctr_bce_grad(
        logits: *const f32,
        targets: *const f32,
        weights: *const f32,
        grad: *const f32,
        out: *mut f32,
        replicas: u32,
        batch: u32,
        stream: CUstream,
    ) -> i32;
    pub fn ctr_fm_pairs(v: *const f32, terms: *mut f32, samples: usize, fields: u32, dim: u32, stream: CUstream)
    -> i32;
    pub fn ctr_fm_pairs_grad(
        v: *const f32,
        grad: *const f32,
        out: *mut f32,
        samples: usize,
        fields: u32,
        dim: u32,
        added: i32,
        stream: CUstream,
    ) -> i32;
    pub fn ctr_sum_fields(
        v: *const f32,
        sums: *mut f32,
        samples: usize,
        fields: u32,
        dim: u32,
        stream: CUstream,
    ) -> i32;
    pub fn ctr_repeat_fields(
        of_samples: *const f32,
        out: *mut f32,
        samples: usize,
        fields: u32,
        dim: u32,
        stream: CUstream,
    ) -> i32;
    pub fn ctr_field_means(
        lookups: *const f32,
        weights: *const f32,
        starts: *const u32,
        out: *mut f32,
        samples: usize,
        fields: u32,
        slots: u32,
        dim: u32,
        stream: CUstream,
    ) -> i32;
    pub fn ctr_field_means_grad(
        grad: *const f32,
        weights: *const f32,
        field_of: *const u32,
        out: *mut f32,
        samples: usize,
        fields: u32,
        slots: u32,
        dim: u32,
        stream: CUstream,
    ) -> i32;
    pub fn ctr_keep_freed_memory(device: i32) -> i32;
    pub fn ctr_free_bytes(device: i32, bytes: *mut u64) -> i32;
}

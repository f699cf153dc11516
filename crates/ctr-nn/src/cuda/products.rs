//! Matrix products of all replicas at once, by cuBLAS.

use super::memory::{device_of, empty, pointer, stream_of};
use crate::MatmulPrecision;
use candle_core::cuda_backend::{WrapErr, cudarc::cublas::result, cudarc::cublas::sys};
use candle_core::{CudaDevice, DType, Result, Tensor, bail};
use half::bf16;
use std::ffi::c_void;

/// A factor `[R, rows, columns]`, perhaps transposed.
#[derive(Clone, Copy)]
pub(crate) enum Factor<'a> {
    /// As it lies in memory.
    Plain(&'a Tensor),
    /// `[R, columns, rows]` in memory.
    Transposed(&'a Tensor),
}

impl Factor<'_> {
    /// Replicas, rows and columns.
    fn dims(&self) -> Result<(usize, usize, usize)> {
        match self {
            Factor::Plain(tensor) => tensor.dims3(),
            Factor::Transposed(tensor) => tensor.dims3().map(|(replicas, rows, columns)| (replicas, columns, rows)),
        }
    }

    /// The factor as cuBLAS reads it, and as what type of number.
    fn operand(&self) -> Result<Operand> {
        let (Factor::Plain(tensor) | Factor::Transposed(tensor)) = self;
        let (_, rows, columns) = tensor.dims3()?;
        // A kernel over no values cannot be launched.
        let (values, dtype, rounded) = if MatmulPrecision::get() == MatmulPrecision::Bf16 && tensor.elem_count() > 0 {
            let rounded = tensor.to_dtype(DType::BF16)?;
            let values = pointer::<bf16>(&rounded)?.cast_const().cast();
            (values, sys::cudaDataType_t::CUDA_R_16BF, Some(rounded))
        } else {
            (pointer::<f32>(tensor)?.cast_const().cast(), sys::cudaDataType_t::CUDA_R_32F, None)
        };
        // cuBLAS counts by columns: a matrix stored by rows is, to it, its own transpose.
        let operation = match self {
            Factor::Plain(_) => sys::cublasOperation_t::CUBLAS_OP_N,
            Factor::Transposed(_) => sys::cublasOperation_t::CUBLAS_OP_T,
        };
        Ok(Operand {
            values,
            dtype,
            operation,
            leading: columns as i32,
            stride: (rows * columns) as i64,
            _rounded: rounded,
        })
    }
}

struct Operand {
    values: *const c_void,
    dtype: sys::cudaDataType_t,
    operation: sys::cublasOperation_t,
    leading: i32,
    stride: i64,
    /// Whose values they are, if not the factor's own: kept until the product is queued.
    _rounded: Option<Tensor>,
}

/// `a b` for every replica: `[R, rows, inner]` times `[R, inner, columns]`.
///
/// # Errors
/// If the shapes do not fit.
pub(crate) fn product(a: Factor, b: Factor) -> Result<Tensor> {
    let ((replicas, rows, _), (_, _, columns)) = (a.dims()?, b.dims()?);
    let (Factor::Plain(of) | Factor::Transposed(of)) = a;
    let device = device_of(of)?;
    let (out, values) = empty::<f32>(&device, (replicas, rows, columns))?;
    run(&device, a, b, 1.0, 0.0, values)?;
    Ok(out)
}

/// `sum += scale a b` in place, for every replica.
///
/// # Errors
/// If the shapes do not fit.
pub(crate) fn add_product(sum: &Tensor, a: Factor, b: Factor, scale: f32) -> Result<()> {
    let ((replicas, rows, _), (_, _, columns)) = (a.dims()?, b.dims()?);
    if sum.dims() != [replicas, rows, columns] {
        bail!("a product of {replicas} x {rows} x {columns} does not fit {:?}", sum.shape());
    }
    run(&device_of(sum)?, a, b, scale, 1.0, pointer::<f32>(sum)?)
}

fn run(device: &CudaDevice, a: Factor, b: Factor, alpha: f32, beta: f32, out: *mut f32) -> Result<()> {
    let ((replicas, rows, inner), (of_b, inner_of_b, columns)) = (a.dims()?, b.dims()?);
    if (replicas, inner) != (of_b, inner_of_b) {
        bail!("matrices {:?} and {:?} do not fit", a.dims()?, b.dims()?);
    }
    if replicas * rows * columns == 0 {
        return Ok(());
    }
    let (a, b) = (a.operand()?, b.operand()?);
    let compute = match MatmulPrecision::get() {
        MatmulPrecision::Float32 | MatmulPrecision::Bf16 => sys::cublasComputeType_t::CUBLAS_COMPUTE_32F,
        MatmulPrecision::Tf32 => sys::cublasComputeType_t::CUBLAS_COMPUTE_32F_FAST_TF32,
    };
    let float = sys::cudaDataType_t::CUDA_R_32F;
    stream_of(device)?;
    let cublas = device.cublas_handle();
    let (handle, algorithm) = (*cublas.handle(), sys::cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT);
    let (alpha, beta) = ((&raw const alpha).cast(), (&raw const beta).cast());
    let (m, n, k) = (columns as i32, rows as i32, inner as i32);
    let out = out.cast();
    // By columns the product is `b^T a^T`.
    // SAFETY: the pointers are those of live tensors on this device whose sizes the dimensions above are.
    let done = unsafe {
        if replicas == 1 {
            // Not as a batch of one: only here cuBLAS cuts a long inner dimension into pieces for its many processors.
            result::gemm_ex(
                handle,
                b.operation,
                a.operation,
                m,
                n,
                k,
                alpha,
                b.values,
                b.dtype,
                b.leading,
                a.values,
                a.dtype,
                a.leading,
                beta,
                out,
                float,
                m,
                compute,
                algorithm,
            )
        } else {
            result::gemm_strided_batched_ex(
                handle,
                b.operation,
                a.operation,
                m,
                n,
                k,
                alpha,
                b.values,
                b.dtype,
                b.leading,
                b.stride,
                a.values,
                a.dtype,
                a.leading,
                a.stride,
                beta,
                out,
                float,
                m,
                (rows * columns) as i64,
                replicas as i32,
                compute,
                algorithm,
            )
        }
    };
    done.w()
}

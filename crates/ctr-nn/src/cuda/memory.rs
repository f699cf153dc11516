//! Pointers of tensors, outputs, and the device's memory.

use super::ffi;
use candle_core::cuda_backend::{
    CudaDType, WrapErr, cudarc::driver::DevicePtr, cudarc::driver::DeviceRepr, cudarc::driver::sys,
};
use candle_core::{CudaDevice, CudaStorage, Device, Result, Shape, Storage, Tensor, Var, bail, op::BackpropOp};

/// The device of a tensor.
pub(super) fn device_of(tensor: &Tensor) -> Result<CudaDevice> {
    tensor.device().as_cuda_device().cloned()
}

/// Where a contiguous tensor's values lie on its device. Valid while the tensor lives, and in work that is queued meanwhile.
pub(super) fn pointer<T: CudaDType + DeviceRepr>(tensor: &Tensor) -> Result<*mut T> {
    let (storage, layout) = tensor.storage_and_layout();
    let (Storage::Cuda(storage), Some((start, _))) = (&*storage, layout.contiguous_offsets()) else {
        bail!("a CUDA kernel needs contiguous tensors on a CUDA device")
    };
    let slice = storage.as_cuda_slice::<T>()?;
    let (pointer, _order) = slice.device_ptr(slice.stream());
    Ok((pointer as usize + start * size_of::<T>()) as *mut T)
}

/// A tensor whose values are still to be written, and where they lie.
pub(super) fn empty<T: CudaDType + DeviceRepr>(
    device: &CudaDevice,
    shape: impl Into<Shape>,
) -> Result<(Tensor, *mut T)> {
    allocate(device, shape, false)
}

/// The same for the values of a variable, which a variable made of a tensor would copy.
pub(super) fn empty_variable<T: CudaDType + DeviceRepr>(
    device: &CudaDevice,
    shape: impl Into<Shape>,
) -> Result<(Var, *mut T)> {
    let (tensor, values) = allocate(device, shape, true)?;
    Ok((Var::from_tensor(&tensor)?, values))
}

fn allocate<T: CudaDType + DeviceRepr>(
    device: &CudaDevice,
    shape: impl Into<Shape>,
    is_variable: bool,
) -> Result<(Tensor, *mut T)> {
    let shape = shape.into();
    // SAFETY: what the caller queues next writes every value before anything reads one.
    let slice = unsafe { device.alloc::<T>(shape.elem_count().max(1))? };
    let storage = Storage::Cuda(CudaStorage::wrap_cuda_slice(slice, device.clone()));
    let tensor = Tensor::from_storage(storage, shape, BackpropOp::none(), is_variable);
    let values = pointer(&tensor)?;
    Ok((tensor, values))
}

/// The stream that work is queued on, with the device's context current for this thread.
pub(super) fn stream_of(device: &CudaDevice) -> Result<sys::CUstream> {
    let stream = device.cuda_stream();
    stream.context().bind_to_thread().w()?;
    Ok(stream.cu_stream())
}

/// Turns the return code of a launcher into a result.
pub(super) fn check(operation: &str, code: i32) -> Result<()> {
    match code {
        0 => Ok(()),
        // The name is what an out-of-memory error of the driver is told by as well.
        2 => bail!("{operation}: CUDA_ERROR_OUT_OF_MEMORY"),
        // No machine code for this GPU, and portable code that its driver does not know.
        209 | 222 => bail!(
            "{operation}: the kernels of this build do not run on this GPU or driver (CUDA error {code}); build with CUDA_COMPUTE_CAP as the GPU has it (docs/devices.md)"
        ),
        code => bail!("{operation}: CUDA error {code}"),
    }
}

fn ordinal(device: &Device) -> Result<i32> {
    let device = device.as_cuda_device()?;
    let stream = device.cuda_stream();
    stream.context().bind_to_thread().w()?;
    Ok(stream.context().ordinal() as i32)
}

/// Lets the program keep the memory that its tensors free.
///
/// # Errors
/// If the device has no memory pool.
pub(crate) fn keep_freed_memory(device: &Device) -> Result<()> {
    // SAFETY: the call takes no pointer.
    check("memory pool", unsafe { ffi::ctr_keep_freed_memory(ordinal(device)?) })
}

/// Bytes that can still be allocated.
///
/// # Errors
/// If the device does not answer.
pub(crate) fn free_bytes(device: &Device) -> Result<u64> {
    let mut bytes = 0;
    // SAFETY: the call writes one `u64`.
    check("free memory", unsafe { ffi::ctr_free_bytes(ordinal(device)?, &mut bytes) })?;
    Ok(bytes)
}

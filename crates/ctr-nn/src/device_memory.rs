//! How much more a device can hold.

use candle_core::{Device, Result};

/// Bytes that can still be allocated on a CUDA device, memory that the program keeps for reuse included; nothing on others, which
/// do not tell.
///
/// # Errors
/// If the device does not answer.
pub fn free_device_bytes(device: &Device) -> Result<Option<u64>> {
    #[cfg(feature = "cuda")]
    if device.is_cuda() {
        return crate::cuda::free_bytes(device).map(Some);
    }
    let _ = device;
    Ok(None)
}

/// Whether an operation failed for want of the device's memory.
pub fn is_out_of_memory(error: &candle_core::Error) -> bool {
    let text = error.to_string();
    // The driver's, cuBLAS's and Metal's words for it.
    ["OUT_OF_MEMORY", "out of memory", "CUBLAS_STATUS_ALLOC_FAILED"].iter().any(|words| text.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn want_of_memory_is_told_from_other_errors() {
        let error = |text: &str| candle_core::Error::Msg(text.to_owned());
        assert!(is_out_of_memory(&error("DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")")));
        assert!(!is_out_of_memory(&error("DriverError(CUDA_ERROR_ILLEGAL_ADDRESS, \"an illegal memory access\")")));
        assert!(free_device_bytes(&Device::Cpu).is_ok_and(|bytes| bytes.is_none()));
    }
}

//! Which device the tensors live on.

use candle_core::{Device, DeviceLocation};
use std::{fmt, str::FromStr};
use thiserror::Error;

/// A device as written on the command line: `auto`, `cpu`, `cuda`, `cuda:1` or `metal`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first of `cuda:0`, `metal` and `cpu` that this build and this machine have.
    Auto,
    /// The host.
    Cpu,
    /// An NVIDIA GPU by ordinal.
    Cuda(usize),
    /// Apple's GPU.
    Metal,
}

/// A device that was opened.
#[derive(Debug, Clone)]
pub struct OpenedDevice {
    /// Which one it is; never [`DeviceChoice::Auto`].
    pub choice: DeviceChoice,
    /// For candle.
    pub device: Device,
    /// What [`DeviceChoice::Auto`] took and why; nothing for a device that was asked for by name.
    pub notice: Option<String>,
}

/// Why a device cannot be used.
#[derive(Debug, Error)]
pub enum DeviceError {
    /// The name is none of the known ones.
    #[error("`{0}` is not known; use auto, cpu, cuda, cuda:<n> or metal")]
    Unknown(String),
    /// This build left the backend out.
    #[error("this build has no {name} support; build with {build} (docs/devices.md), or use --device cpu")]
    NotCompiled {
        /// Backend as a user names it.
        name: &'static str,
        /// What builds it.
        build: &'static str,
    },
    /// The backend is there but the device is not.
    #[error("device {device} cannot be opened: {cause}; {remedy}, or use --device cpu")]
    NotPresent {
        /// The device asked for.
        device: DeviceChoice,
        /// What is missing.
        cause: String,
        /// What helps.
        remedy: &'static str,
    },
}

impl From<&Device> for DeviceChoice {
    fn from(device: &Device) -> Self {
        match device.location() {
            DeviceLocation::Cpu => Self::Cpu,
            DeviceLocation::Cuda { gpu_id } => Self::Cuda(gpu_id),
            DeviceLocation::Metal { .. } => Self::Metal,
        }
    }
}

impl DeviceChoice {
    /// Opens the device and runs a kernel on it. [`DeviceChoice::Auto`] always succeeds.
    ///
    /// # Errors
    /// If its backend is not compiled in, the device is not present, or the build's kernels do not run on it.
    pub fn open(self) -> Result<OpenedDevice, DeviceError> {
        match self {
            Self::Auto => Ok(Self::first_present()),
            choice => Ok(OpenedDevice { choice, device: choice.open_named()?, notice: None }),
        }
    }

    fn first_present() -> OpenedDevice {
        let mut absent = Vec::new();
        for choice in [Self::Cuda(0), Self::Metal] {
            match choice.open_named() {
                Ok(device) => {
                    return OpenedDevice { choice, device, notice: Some(format!("device auto: running on {choice}")) };
                }
                Err(DeviceError::NotPresent { device, cause, remedy }) => {
                    absent.push(format!("{device} cannot be opened: {cause}; {remedy}"));
                }
                Err(_) => {}
            }
        }
        if absent.is_empty() {
            absent.push("this build has neither CUDA nor Metal".into());
        }
        let notice = format!("device auto: running on the CPU, since {}", absent.join("; "));
        OpenedDevice { choice: Self::Cpu, device: Device::Cpu, notice: Some(notice) }
    }

    fn open_named(self) -> Result<Device, DeviceError> {
        match self {
            Self::Auto | Self::Cpu => Ok(Device::Cpu),
            Self::Cuda(ordinal) => cuda::open(ordinal),
            Self::Metal => metal::open(),
        }
    }
}

/// Computes something whose result is known: a device whose kernels cannot be loaded is found out before a run starts.
#[cfg(any(feature = "cuda", feature = "metal"))]
fn probe(device: &Device) -> candle_core::Result<()> {
    use candle_core::{DType, Tensor};
    let one = Tensor::zeros(1, DType::F32, device)?.exp()?.to_vec1::<f32>()?;
    if one != [1.0] {
        candle_core::bail!("exp(0) gave {one:?} instead of [1.0]");
    }
    Ok(())
}

#[cfg(not(feature = "cuda"))]
mod cuda {
    use super::{Device, DeviceError};

    pub fn open(_: usize) -> Result<Device, DeviceError> {
        Err(DeviceError::NotCompiled {
            name: "CUDA",
            build: "scripts/cuda-build.sh, or with `--features cuda` where the CUDA toolkit is",
        })
    }
}

#[cfg(feature = "cuda")]
mod cuda {
    use super::{Device, DeviceChoice, DeviceError, probe};
    use candle_core::{
        DType, Error, Tensor,
        cuda_backend::{
            CudaError,
            cudarc::driver::{DriverError, sys::CUresult},
        },
    };

    pub fn open(ordinal: usize) -> Result<Device, DeviceError> {
        open_and_probe(ordinal).map_err(|error| {
            let (cause, remedy) = explain(&error);
            DeviceError::NotPresent { device: DeviceChoice::Cuda(ordinal), cause, remedy }
        })
    }

    /// candle's default is a stream per thread, with which the threads of a pool would not wait for each other's kernels.
    /// Here all threads share one stream, which runs kernels in the order in which they were launched.
    fn open_and_probe(ordinal: usize) -> candle_core::Result<Device> {
        let device = Device::new_cuda_with_stream(ordinal)?;
        // SAFETY: the events that this turns off order accesses from different streams. All work of this device goes to
        // its only stream, and no memory has been allocated yet.
        unsafe { device.as_cuda_device()?.disable_event_tracking() };
        crate::cuda::keep_freed_memory(&device)?;
        probe(&device)?;
        // Ours are compiled apart from candle's.
        let row = Tensor::ones((1, 1), DType::F32, &device)?;
        crate::cuda::gather_rows(&row, &Tensor::zeros(1, DType::U32, &device)?)?.to_vec2::<f32>()?;
        Ok(device)
    }

    /// What is missing and what helps. A build that loads CUDA's libraries on first use (`scripts/cuda-build.sh`) gets error
    /// codes in place of missing libraries.
    fn explain(error: &Error) -> (String, &'static str) {
        const LIBRARIES: &str =
            "set CUDA_LIB_DIR or LD_LIBRARY_PATH to the folder of CUDA's libraries (docs/devices.md)";
        let said = without_backtrace(error);
        if crate::is_out_of_memory(said) {
            return ("the GPU's memory is full".into(), "end what else uses it (nvidia-smi shows that)");
        }
        let Error::Cuda(boxed) = said else { return (said.to_string(), "check that nvidia-smi shows the GPU") };
        match boxed.downcast_ref() {
            Some(CudaError::Cuda(DriverError(CUresult::CUDA_ERROR_STUB_LIBRARY))) => (
                "no NVIDIA driver was found (libcuda.so.1)".into(),
                "install the driver, or set CUDA_LIB_DIR to the folder of libcuda.so.1",
            ),
            Some(CudaError::Cuda(DriverError(CUresult::CUDA_ERROR_NO_DEVICE))) => (
                "no NVIDIA GPU was found, or no driver (libcuda.so.1)".into(),
                "check that nvidia-smi shows the GPU and that CUDA_VISIBLE_DEVICES does not hide it",
            ),
            Some(CudaError::Cuda(DriverError(CUresult::CUDA_ERROR_INVALID_DEVICE))) => {
                ("there is no NVIDIA GPU of this number".into(), "take one that nvidia-smi shows")
            }
            Some(CudaError::Cublas(_)) => (format!("cuBLAS (libcublas.so) does not start: {said}"), LIBRARIES),
            Some(CudaError::Curand(_)) => (format!("cuRAND (libcurand.so) does not start: {said}"), LIBRARIES),
            Some(CudaError::Load { .. }) => (
                format!("the kernels of this build do not run on this GPU or driver: {said}"),
                "build with CUDA_COMPUTE_CAP as the GPU has it (docs/devices.md), or update the driver",
            ),
            _ => (said.to_string(), "check that nvidia-smi shows the GPU"),
        }
    }

    fn without_backtrace(error: &Error) -> &Error {
        match error {
            Error::WithBacktrace { inner, .. } => without_backtrace(inner),
            error => error,
        }
    }
}

#[cfg(not(feature = "metal"))]
mod metal {
    use super::{Device, DeviceError};

    pub fn open() -> Result<Device, DeviceError> {
        Err(DeviceError::NotCompiled { name: "Metal", build: "`--features metal` on a Mac" })
    }
}

#[cfg(feature = "metal")]
mod metal {
    use super::{Device, DeviceChoice, DeviceError, probe};

    pub fn open() -> Result<Device, DeviceError> {
        let absent = |cause| DeviceError::NotPresent {
            device: DeviceChoice::Metal,
            cause,
            remedy: "check that macOS shows a GPU with Metal support (system_profiler SPDisplaysDataType)",
        };
        // candle takes the first device of this list without a look at its length.
        if candle_metal_kernels::metal::Device::all().is_empty() {
            return Err(absent("macOS lists no Metal device".into()));
        }
        let device = Device::new_metal(0).map_err(|error| absent(error.to_string()))?;
        probe(&device).map_err(|error| absent(format!("candle's kernels do not run on it: {error}")))?;
        Ok(device)
    }
}

impl FromStr for DeviceChoice {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, DeviceError> {
        match text.split_once(':') {
            None if text == "auto" => Ok(Self::Auto),
            None if text == "cpu" => Ok(Self::Cpu),
            None if text == "cuda" => Ok(Self::Cuda(0)),
            None if text == "metal" => Ok(Self::Metal),
            Some(("cuda", ordinal)) => {
                ordinal.parse().map(Self::Cuda).map_err(|_| DeviceError::Unknown(text.to_owned()))
            }
            _ => Err(DeviceError::Unknown(text.to_owned())),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => write!(f, "auto"),
            Self::Cpu => write!(f, "cpu"),
            Self::Cuda(ordinal) => write!(f, "cuda:{ordinal}"),
            Self::Metal => write!(f, "metal"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for name in ["auto", "cpu", "cuda:0", "cuda:3", "metal"] {
            assert_eq!(name.parse::<DeviceChoice>().expect("a known name").to_string(), name);
        }
        for name in ["", "gpu", "cuda:", "cuda:x", "cpu:0"] {
            let message = name.parse::<DeviceChoice>().expect_err("not a device").to_string();
            assert!(message.contains("use auto, cpu, cuda"), "{message}");
        }
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_backend_left_out_names_its_feature() {
        let message = DeviceChoice::Cuda(0).open().expect_err("no CUDA in this build").to_string();
        assert!(message.contains("--features cuda"), "{message}");
    }

    #[cfg(not(any(feature = "cuda", feature = "metal")))]
    #[test]
    fn auto_takes_the_cpu_and_says_why() {
        let opened = DeviceChoice::Auto.open().expect("there is always a CPU");
        assert!(opened.choice == DeviceChoice::Cpu && opened.device.is_cpu());
        let notice = opened.notice.expect("a reason");
        assert!(notice.contains("running on the CPU") && notice.contains("neither CUDA nor Metal"), "{notice}");
        assert_eq!(DeviceChoice::Cpu.open().expect("a CPU").notice, None);
    }

    /// Also on a machine with a GPU: no machine has that many.
    #[cfg(feature = "cuda")]
    #[test]
    fn an_absent_gpu_is_named_with_a_remedy() {
        let message = DeviceChoice::Cuda(1000).open().expect_err("no such GPU").to_string();
        for part in ["device cuda:1000 cannot be opened: ", "no NVIDIA ", "--device cpu"] {
            assert!(message.contains(part), "{message}");
        }
    }

    /// `auto` runs where a device can be opened by name, and on the CPU with that device's error where it cannot.
    #[cfg(any(feature = "cuda", feature = "metal"))]
    #[test]
    fn auto_takes_the_accelerator_if_there_is_one() {
        let accelerator = if cfg!(feature = "cuda") { DeviceChoice::Cuda(0) } else { DeviceChoice::Metal };
        let opened = DeviceChoice::Auto.open().expect("there is always a CPU");
        let notice = opened.notice.expect("a reason");
        match accelerator.open() {
            Ok(_) => assert_eq!((opened.choice, opened.device.is_cpu()), (accelerator, false), "{notice}"),
            Err(_) => {
                assert!(opened.choice == DeviceChoice::Cpu && opened.device.is_cpu());
                assert!(notice.contains(&format!("{accelerator} cannot be opened: ")), "{notice}");
            }
        }
    }
}

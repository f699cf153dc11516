//! Which device the tensors live on.

use candle_core::Device;
use std::{fmt, str::FromStr};
use thiserror::Error;

/// A device as written on the command line: `cpu`, `cuda`, `cuda:1` or `metal`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The host.
    Cpu,
    /// An NVIDIA GPU by ordinal.
    Cuda(usize),
    /// Apple's GPU.
    Metal,
}

/// Why a device cannot be used.
#[derive(Debug, Error)]
pub enum DeviceError {
    /// The name is none of the known ones.
    #[error("device `{0}` is not known; use cpu, cuda, cuda:<n> or metal")]
    Unknown(String),
    /// This build left the backend out.
    #[error("this build has no {name} support; build with `cargo build --release --features {feature}`")]
    NotCompiled {
        /// Backend as a user names it.
        name: &'static str,
        /// Cargo feature that brings it.
        feature: &'static str,
    },
    /// The backend is there but the device is not.
    #[error(
        "device {device} cannot be opened: {cause}; use --device cpu, or check that the driver and the GPU are present"
    )]
    NotPresent {
        /// The device asked for.
        device: DeviceChoice,
        /// What the driver said.
        cause: candle_core::Error,
    },
}

impl DeviceChoice {
    /// Opens the device.
    ///
    /// # Errors
    /// If its backend is not compiled in or the device is not present.
    pub fn open(self) -> Result<Device, DeviceError> {
        let absent = |cause| DeviceError::NotPresent { device: self, cause };
        match self {
            DeviceChoice::Cpu => Ok(Device::Cpu),
            DeviceChoice::Cuda(_) if !cfg!(feature = "cuda") => {
                Err(DeviceError::NotCompiled { name: "CUDA", feature: "cuda" })
            }
            DeviceChoice::Cuda(ordinal) => Device::new_cuda(ordinal).map_err(absent),
            DeviceChoice::Metal if !cfg!(feature = "metal") => {
                Err(DeviceError::NotCompiled { name: "Metal", feature: "metal" })
            }
            DeviceChoice::Metal => Device::new_metal(0).map_err(absent),
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, DeviceError> {
        match text.split_once(':') {
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
        for name in ["cpu", "cuda:0", "cuda:3", "metal"] {
            assert_eq!(name.parse::<DeviceChoice>().expect("a known name").to_string(), name);
        }
        for name in ["", "gpu", "cuda:", "cuda:x", "cpu:0"] {
            let message = name.parse::<DeviceChoice>().expect_err("not a device").to_string();
            assert!(message.contains("use cpu, cuda"), "{message}");
        }
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_backend_left_out_names_its_feature() {
        let message = DeviceChoice::Cuda(0).open().expect_err("no CUDA in this build").to_string();
        assert!(message.contains("--features cuda"), "{message}");
    }
}

//! How exactly matrix products are computed.

use crate::DeviceChoice;
use std::sync::atomic::{AtomicU8, Ordering};
use std::{fmt, str::FromStr};

/// Precision of the factors of matrix products. Sums and everything else stay in float32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MatmulPrecision {
    /// 24 bits of mantissa.
    #[default]
    Float32,
    /// 11 bits of mantissa: what the tensor cores of a CUDA device make of float32 factors, in every product.
    Tf32,
    /// 8 bits of mantissa: the factors of dense layers' products, forward and backward, are rounded to the nearest bfloat16
    /// (ties to even). On a CUDA device the tensor cores take them as such; the CPU multiplies the rounded factors in float32.
    Bf16,
}

static CURRENT: AtomicU8 = AtomicU8::new(0);
const ALL: [(MatmulPrecision, &str); 3] =
    [(MatmulPrecision::Float32, "float32"), (MatmulPrecision::Tf32, "tf32"), (MatmulPrecision::Bf16, "bf16")];

impl MatmulPrecision {
    /// Sets the precision of this process, which computes on `device`.
    ///
    /// # Errors
    /// If the device does not have it: elsewhere the setting would be a label on exact results.
    pub fn set(self, device: DeviceChoice) -> Result<(), String> {
        let of_device: &[Self] = match device {
            DeviceChoice::Cuda(_) => &[Self::Float32, Self::Tf32, Self::Bf16],
            DeviceChoice::Cpu => &[Self::Float32, Self::Bf16],
            DeviceChoice::Metal | DeviceChoice::Auto => &[Self::Float32],
        };
        if !of_device.contains(&self) {
            let names: Vec<_> = of_device.iter().map(Self::to_string).collect();
            return Err(format!("matmul is {self}, which {device} does not have; use {} there", names.join(" or ")));
        }
        CURRENT.store(self as u8, Ordering::Relaxed);
        #[cfg(feature = "cuda")]
        candle_core::cuda::set_gemm_reduced_precision_f32(self == Self::Tf32);
        Ok(())
    }

    /// The precision of this process.
    pub fn get() -> Self {
        ALL[usize::from(CURRENT.load(Ordering::Relaxed))].0
    }
}

impl FromStr for MatmulPrecision {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = ALL.iter().find(|(_, name)| *name == text);
        known
            .map(|(precision, _)| *precision)
            .ok_or_else(|| format!("`{text}` is not a precision of matrix products; use float32, tf32 or bf16"))
    }
}

impl fmt::Display for MatmulPrecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(ALL[*self as usize].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for (precision, name) in ALL {
            assert_eq!((name.parse(), precision.to_string()), (Ok(precision), name.to_owned()));
        }
        assert!("fp16".parse::<MatmulPrecision>().unwrap_err().contains("use float32, tf32 or bf16"));
    }

    #[test]
    fn a_device_without_the_precision_is_refused() {
        let message = MatmulPrecision::Tf32.set(DeviceChoice::Cpu).unwrap_err();
        assert_eq!(message, "matmul is tf32, which cpu does not have; use float32 or bf16 there");
        assert!(MatmulPrecision::Bf16.set(DeviceChoice::Metal).is_err());
        assert_eq!(MatmulPrecision::get(), MatmulPrecision::Float32);
    }
}

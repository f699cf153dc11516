//! How exactly matrix products are computed on a CUDA device.

use std::sync::atomic::{AtomicU8, Ordering};
use std::{fmt, str::FromStr};

/// Precision of the factors of matrix products on a CUDA device. Sums and everything else stay in float32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MatmulPrecision {
    /// 24 bits of mantissa.
    #[default]
    Float32,
    /// 11 bits of mantissa, on tensor cores.
    Tf32,
}

static CURRENT: AtomicU8 = AtomicU8::new(0);
const ALL: [(MatmulPrecision, &str); 2] = [(MatmulPrecision::Float32, "float32"), (MatmulPrecision::Tf32, "tf32")];

impl MatmulPrecision {
    /// Sets the precision of this process.
    pub fn set(self) {
        CURRENT.store(self as u8, Ordering::Relaxed);
        #[cfg(feature = "cuda")]
        candle_core::cuda::set_gemm_reduced_precision_f32(self != Self::Float32);
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
            .ok_or_else(|| format!("`{text}` is not a precision of matrix products; use float32 or tf32"))
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
        assert!("fp16".parse::<MatmulPrecision>().unwrap_err().contains("use float32 or tf32"));
    }
}

//! Which kernels of `private-gemm-x86` a processor can run, and how many columns of a product they take at once.

use private_gemm_x86::InstrSet;
use std::sync::LazyLock;

/// Kernels by the widest vectors that they use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kernels {
    /// Vectors of 8 values, tiles of 24 columns by 4 rows.
    Avx2,
    /// Vectors of 16 values, tiles of 96 columns by 4 rows.
    Avx512,
}

impl Kernels {
    /// The widest that this processor can run; nothing if it can run none.
    pub fn of_this_processor() -> Option<Self> {
        static WIDEST: LazyLock<Option<Kernels>> = LazyLock::new(|| Kernels::runnable().last().copied());
        *WIDEST
    }

    /// All that this processor can run, the widest last.
    pub fn runnable() -> Vec<Self> {
        let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        let avx512 = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        let has = [(Self::Avx2, avx2), (Self::Avx512, avx2 && avx512)];
        has.into_iter().filter_map(|(kernels, has)| has.then_some(kernels)).collect()
    }

    pub fn instructions(self) -> InstrSet {
        match self {
            Self::Avx2 => InstrSet::Avx256,
            Self::Avx512 => InstrSet::Avx512,
        }
    }

    /// How many of the `columns` that are left the next product takes.
    ///
    /// A tile of one vector has too few sums to hide how long an addition takes. Where AVX2's tiles would end with one, the last
    /// 16 columns are a product of their own; AVX-512's vectors are spread evenly over as few tiles as hold them
    /// (docs/performance.md).
    pub fn columns_at_once(self, columns: usize) -> usize {
        match self {
            Self::Avx2 if columns > 24 && (1..=8).contains(&(columns % 24)) => columns - 16,
            Self::Avx2 => columns,
            Self::Avx512 => {
                let vectors = columns.div_ceil(16);
                (vectors.div_ceil(vectors.div_ceil(6)) * 16).min(columns)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_cut_where_tiles_end_well() {
        let parts = |kernels: Kernels, columns: usize| {
            let (mut left, mut parts) = (columns, Vec::new());
            while left > 0 {
                parts.push(kernels.columns_at_once(left));
                left -= parts[parts.len() - 1];
            }
            parts
        };
        assert_eq!(parts(Kernels::Avx2, 24), [24]);
        assert_eq!(parts(Kernels::Avx2, 128), [112, 16]);
        assert_eq!(parts(Kernels::Avx2, 144), [144]);
        assert_eq!(parts(Kernels::Avx512, 1), [1]);
        assert_eq!(parts(Kernels::Avx512, 96), [96]);
        assert_eq!(parts(Kernels::Avx512, 128), [64, 64]);
        assert_eq!(parts(Kernels::Avx512, 400), [80; 5]);
        assert_eq!(parts(Kernels::Avx512, 100), [64, 36]);
        assert_eq!(parts(Kernels::Avx512, 496), [96, 80, 80, 80, 80, 80]);
    }
}

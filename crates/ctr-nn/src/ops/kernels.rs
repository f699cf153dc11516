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

    /// How many of `columns` one product takes; the last one takes what is left.
    ///
    /// A tile of one vector has too few sums to hide how long an addition takes. Where AVX2's tiles would end with one, the last
    /// 16 columns are a product of their own; AVX-512's are made about equal instead (docs/performance.md).
    pub fn columns_at_once(self, columns: usize) -> usize {
        match self {
            Self::Avx2 if columns > 24 && (1..=8).contains(&(columns % 24)) => columns - 16,
            Self::Avx2 => columns,
            Self::Avx512 => columns.div_ceil(columns.div_ceil(96)).next_multiple_of(16),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_cut_where_tiles_end_well() {
        let parts = |kernels: Kernels, columns: usize| {
            let width = kernels.columns_at_once(columns);
            (0..columns).step_by(width).map(|start| width.min(columns - start)).collect::<Vec<_>>()
        };
        assert_eq!(parts(Kernels::Avx2, 24), [24]);
        assert_eq!(parts(Kernels::Avx2, 128), [112, 16]);
        assert_eq!(parts(Kernels::Avx2, 144), [144]);
        assert_eq!(parts(Kernels::Avx512, 1), [1]);
        assert_eq!(parts(Kernels::Avx512, 96), [96]);
        assert_eq!(parts(Kernels::Avx512, 128), [64, 64]);
        assert_eq!(parts(Kernels::Avx512, 400), [80; 5]);
        assert_eq!(parts(Kernels::Avx512, 100), [64, 36]);
    }
}

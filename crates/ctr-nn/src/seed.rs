//! The one source of randomness: ChaCha, keyed by the run's seed and by what the numbers are for.

use rand::SeedableRng;

/// The generator used everywhere. candle's CPU generator cannot be seeded, so none of its random ops are used.
pub type SeededRng = rand_chacha::ChaCha8Rng;

/// A generator for one purpose: the same `(seed, purpose, index)` always gives the same numbers, and no two purposes
/// share a stream, so that drawing more for one of them leaves the others as they were.
pub fn seeded_rng(seed: u64, purpose: &str, index: u64) -> SeededRng {
    let mut rng = SeededRng::seed_from_u64(seed);
    // FNV-1a over purpose and index: stable across platforms and compiler versions, unlike the standard hasher.
    let mut stream = 0xcbf2_9ce4_8422_2325u64;
    for byte in purpose.bytes().chain(index.to_le_bytes()) {
        stream = (stream ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    rng.set_stream(stream);
    rng
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngCore;

    #[test]
    fn purpose_and_index_separate_streams() {
        let first = |seed, purpose, index| seeded_rng(seed, purpose, index).next_u64();
        assert_eq!(first(1, "shuffle", 0), first(1, "shuffle", 0));
        assert_ne!(first(1, "shuffle", 0), first(2, "shuffle", 0));
        assert_ne!(first(1, "shuffle", 0), first(1, "shuffle", 1));
        assert_ne!(first(1, "shuffle", 0), first(1, "dropout", 0));
    }
}

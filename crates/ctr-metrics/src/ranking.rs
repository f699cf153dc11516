//! Samples in order of their logit, found by one integer sort.

/// Indices of the samples from the lowest to the highest logit; equal logits keep the order of the samples.
///
/// The bits of a float, mapped so that they sort as the float does, and the index share one `u64`, which sorts several
/// times faster than an index sort that looks each logit up. `-0.0` and `0.0` are equal.
///
/// Logits must be finite and at most `u32::MAX` in number.
pub(crate) fn ascending(logits: &[f32]) -> Vec<u32> {
    let mut keys: Vec<u64> = logits
        .iter()
        .enumerate()
        .map(|(index, &logit)| (u64::from(sortable_bits(logit)) << 32) | index as u64)
        .collect();
    keys.sort_unstable();
    keys.into_iter().map(|key| key as u32).collect()
}

/// Cuts `order` (see [`ascending`]) into groups of equal logits.
pub(crate) fn tie_groups<'a>(order: &'a [u32], logits: &'a [f32]) -> impl DoubleEndedIterator<Item = &'a [u32]> {
    order.chunk_by(move |&a, &b| logits[a as usize] == logits[b as usize])
}

fn sortable_bits(logit: f32) -> u32 {
    let bits = (logit + 0.0).to_bits();
    if bits >> 31 == 1 { !bits } else { bits | (1 << 31) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn zeros_of_either_sign_tie() {
        let logits = [0.0, -0.0, -1.0, 0.0];
        let order = ascending(&logits);
        assert_eq!(order, [2, 0, 1, 3]);
        let groups: Vec<&[u32]> = tie_groups(&order, &logits).collect();
        assert_eq!(groups, [&[2][..], &[0, 1, 3][..]]);
    }

    proptest! {
        #[test]
        fn the_order_is_that_of_a_stable_float_sort(logits in prop::collection::vec(-1e30f32..1e30, 0..60)) {
            let mut expected: Vec<u32> = (0..logits.len() as u32).collect();
            expected.sort_by(|&a, &b| logits[a as usize].partial_cmp(&logits[b as usize]).expect("finite"));
            prop_assert_eq!(ascending(&logits), expected);
        }
    }
}

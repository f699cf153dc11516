//! How many look-ups each field takes.

use crate::PADDING_ROW;
use std::sync::Arc;

/// Look-ups per field: one, or, where a sample may have several values of a field, as many as its longest list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldSlots {
    by_field: Arc<[usize]>,
    total: usize,
}

impl FieldSlots {
    /// Look-ups of each field, at least one each.
    pub fn new(by_field: &[usize]) -> Self {
        Self { by_field: by_field.into(), total: by_field.iter().sum() }
    }

    /// Number of fields.
    pub fn fields(&self) -> usize {
        self.by_field.len()
    }

    /// Look-ups of a sample.
    pub fn total(&self) -> usize {
        self.total
    }

    /// Look-ups of each field.
    pub fn by_field(&self) -> &[usize] {
        &self.by_field
    }

    /// Whether no field can have several values.
    pub fn are_single(&self) -> bool {
        self.total == self.fields()
    }

    /// The weight of every look-up in the mean of its field: one over the number of the field's values that are there, 0 on
    /// [`PADDING_ROW`]. `ids` holds whole samples.
    pub(crate) fn weights(&self, ids: &[u32]) -> Vec<f32> {
        let mut weights = Vec::with_capacity(ids.len());
        for sample in ids.chunks_exact(self.total) {
            let mut rest = sample;
            for &slots in &*self.by_field {
                let (values, behind) = rest.split_at(slots);
                let present = values.iter().filter(|id| **id != PADDING_ROW).count();
                let weight = 1.0 / present.max(1) as f32;
                weights.extend(values.iter().map(|id| if *id == PADDING_ROW { 0.0 } else { weight }));
                rest = behind;
            }
        }
        weights
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_a_field_share_its_weight() {
        let slots = FieldSlots::new(&[1, 3]);
        assert_eq!((slots.fields(), slots.total(), slots.are_single()), (2, 4, false));
        let ids = [7, 1, 2, PADDING_ROW, 7, PADDING_ROW, PADDING_ROW, PADDING_ROW];
        assert_eq!(slots.weights(&ids), [1.0, 0.5, 0.5, 0.0, 1.0, 0.0, 0.0, 0.0]);
    }
}

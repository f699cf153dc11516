//! Vocabularies of the training part.

use crate::Split;
use crate::log::{Column, Log};

/// Local ids of one column's codes.
pub(crate) struct Vocabulary {
    /// Local id by code; 0 is unknown.
    pub local: Vec<u32>,
    /// Number of ids, the unknown one included.
    pub size: u32,
}

/// Gives an id, in dictionary order, to every code with at least `min_count` training rows.
pub(crate) fn build(log: &Log, splits: &[Split], column: &Column, min_count: u32) -> Vocabulary {
    let mut counts = vec![0u32; column.dictionary.len()];
    for (row, split) in splits.iter().enumerate() {
        if *split == Split::Train {
            counts[log.code(column, row) as usize] += 1;
        }
    }
    let mut size = 1;
    let mut local = counts;
    for entry in &mut local {
        *entry = if *entry >= min_count {
            size += 1;
            size - 1
        } else {
            0
        };
    }
    Vocabulary { local, size }
}

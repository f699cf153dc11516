//! The encoded dataset that the rest of ctrbench reads.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::{Facts, ValueLists};

/// An encoded dataset: every value an id, every sample in one part of the split.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// Name, as in the config.
    pub name: String,
    /// Categorical input fields, in column order of [`Samples::ids`].
    pub fields: Vec<Field>,
    /// The lists of fields of which a sample may have several values, by position in `fields`; never the item field.
    pub lists: BTreeMap<usize, ValueLists>,
    /// Index of the item field in `fields`; histories hold ids of this field.
    pub item_field: usize,
    /// Longest history, in items.
    pub history_length: usize,
    /// The user ids of the source files, by user index.
    pub user_keys: Vec<String>,
    /// The samples, sorted by user, then time, then order in the file.
    pub samples: Samples,
    /// Counts, rates and the split guard's verdict.
    pub facts: Facts,
}

/// The only user key of a dataset whose source names no users.
pub const NO_USER: &str = "(no user)";

/// A categorical input field; owns the ids `offset .. offset + vocabulary_size`, `offset` being *unknown*.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Name.
    pub name: String,
    /// First id, which stands for every value not in the vocabulary.
    pub offset: u32,
    /// Number of ids, the unknown one included.
    pub vocabulary_size: u32,
}

/// The part of the split a sample belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Split {
    /// The cloud model trains on it; with one user's samples: the local set.
    Train,
    /// Early stopping.
    Validation,
    /// Scored once, at the end.
    Test,
}

impl Split {
    /// The three parts in time order.
    pub const ALL: [Split; 3] = [Split::Train, Split::Validation, Split::Test];

    /// `training`, `validation` or `test`.
    pub fn name(self) -> &'static str {
        match self {
            Split::Train => "training",
            Split::Validation => "validation",
            Split::Test => "test",
        }
    }
}

/// Samples as a struct of arrays, sorted by user, then time, then order in the file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Samples {
    /// User index, `[samples]`.
    pub user: Vec<u32>,
    /// Time in the source's unit (seconds or milliseconds), `[samples]`.
    pub time: Vec<i64>,
    /// 0 or 1, `[samples]`.
    pub label: Vec<u8>,
    /// Part of the split, `[samples]`.
    pub split: Vec<Split>,
    /// Global ids, `[samples, fields]`, row-major; in a field with [`Dataset::lists`] the index of a list.
    pub ids: Vec<u32>,
    /// Positive items of all users, each user's oldest first, as ids of the item field.
    pub history_items: Vec<u32>,
    /// Start and end of each sample's history in `history_items`, `[samples]`.
    pub history_range: Vec<(u32, u32)>,
    /// Click probability of the planted model, `[samples]`; synthetic only.
    pub true_probability: Option<Vec<f32>>,
}

impl Dataset {
    /// Number of samples.
    pub fn len(&self) -> usize {
        self.samples.label.len()
    }

    /// Whether there is no sample; never true of a loaded dataset.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether samples belong to users, so that there is something to fine-tune.
    pub fn has_users(&self) -> bool {
        self.user_keys != [NO_USER]
    }

    /// Rows of one embedding table for all fields: the sum of the vocabulary sizes.
    pub fn table_rows(&self) -> usize {
        self.fields.iter().map(|field| field.vocabulary_size as usize).sum()
    }

    /// Ids of sample `i`, `[fields]`; in a field with `lists` the index of a list.
    pub fn sample_ids(&self, i: usize) -> &[u32] {
        let fields = self.fields.len();
        &self.samples.ids[i * fields..(i + 1) * fields]
    }

    /// Look-ups that a sample takes in each field: one, or as many as the field's longest list has.
    pub fn lookups_by_field(&self) -> Vec<usize> {
        let longest = |field| self.lists.get(&field).map_or(1, ValueLists::longest);
        (0..self.fields.len()).map(longest).collect()
    }

    /// Appends the global ids that sample `i` looks up, field by field; shorter lists are filled up with `padding`.
    pub fn append_lookups(&self, i: usize, padding: u32, ids: &mut Vec<u32>) {
        let sample = self.sample_ids(i);
        if self.lists.is_empty() {
            return ids.extend_from_slice(sample);
        }
        for (field, &id) in sample.iter().enumerate() {
            match self.lists.get(&field) {
                None => ids.push(id),
                Some(lists) => {
                    let list = lists.get(id);
                    ids.extend_from_slice(list);
                    ids.resize(ids.len() + lists.longest() - list.len(), padding);
                }
            }
        }
    }

    /// The last at most `history_length` positive items strictly before sample `i`, oldest first.
    pub fn history(&self, i: usize) -> &[u32] {
        let (start, end) = self.samples.history_range[i];
        &self.samples.history_items[start as usize..end as usize]
    }

    /// Samples of `user`, as a range of sample indices; empty for an index beyond the last user.
    pub fn samples_of(&self, user: u32) -> Range<usize> {
        let users = &self.samples.user;
        users.partition_point(|&u| u < user)..users.partition_point(|&u| u <= user)
    }

    /// Indices of the samples of one part, ascending.
    pub fn indices(&self, split: Split) -> Vec<u32> {
        let parts = self.samples.split.iter().zip(0u32..);
        parts.filter(|(part, _)| **part == split).map(|(_, i)| i).collect()
    }

    /// Global CTR: the label rate of the training part.
    pub fn global_ctr(&self) -> f64 {
        self.facts.train.positive_rate
    }
}

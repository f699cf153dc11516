//! What is fine-tuned and judged for each user.

use ctr_data::Dataset;
use std::ops::Range;

/// One user's local samples and the samples that the user's copy ranks.
#[derive(Debug, Clone, PartialEq)]
pub struct UserTask {
    /// Index of the user in the dataset.
    pub user: u32,
    /// Samples to fine-tune on, in time order; a planted drift may repeat some.
    pub local: Vec<u32>,
    /// Samples to rank, in time order.
    pub judged: Vec<u32>,
    /// Label rate of `local`.
    pub local_ctr: f64,
    /// The CTR that was planted, if one was.
    pub target_ctr: Option<f64>,
}

/// Why a user is not fine-tuned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exclusion {
    /// Fewer local samples than `min_samples`.
    FewLocalSamples,
    /// No sample to rank, or only samples of one class: the user's ranking cannot be judged.
    OneClassJudged,
    /// Local samples of one class: no other CTR can be planted by resampling.
    OneClassLocally,
}

impl Exclusion {
    /// Name in records and files.
    pub fn name(self) -> &'static str {
        match self {
            Exclusion::FewLocalSamples => "few-local-samples",
            Exclusion::OneClassJudged => "one-class-judged",
            Exclusion::OneClassLocally => "one-class-locally",
        }
    }
}

/// The users of a protocol, in dataset order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tasks {
    /// Users to fine-tune.
    pub users: Vec<UserTask>,
    /// Users kept out, with the reason.
    pub excluded: Vec<(u32, Exclusion)>,
}

impl Tasks {
    /// The first users alone, to warm up with.
    pub fn first(&self, users: usize) -> Self {
        Self { users: self.users[..users.min(self.users.len())].to_vec(), excluded: Vec::new() }
    }

    /// Samples to rank of all users, user by user.
    pub fn judged_samples(&self) -> Vec<u32> {
        self.users.iter().flat_map(|task| &task.judged).copied().collect()
    }

    /// Where each user's samples start in [`Self::judged_samples`], and the total.
    pub fn judged_offsets(&self) -> Vec<usize> {
        offsets(self.users.iter().map(|task| task.judged.len()))
    }

    /// The range of each user in [`Self::judged_samples`].
    pub fn judged_ranges(&self) -> Vec<Range<usize>> {
        self.judged_offsets().windows(2).map(|pair| pair[0]..pair[1]).collect()
    }
}

fn offsets(lengths: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut end = 0;
    std::iter::once(0)
        .chain(lengths.map(|length| {
            end += length;
            end
        }))
        .collect()
}

/// Label rate of some samples; 0 if there are none.
pub(crate) fn label_rate(dataset: &Dataset, samples: &[u32]) -> f64 {
    let positives: u32 = samples.iter().map(|&i| u32::from(dataset.samples.label[i as usize])).sum();
    f64::from(positives) / samples.len().max(1) as f64
}

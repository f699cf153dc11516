//! What can be wrong with scores, labels, a baseline or the bootstrap's settings.

/// Why an evaluation was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MetricError {
    /// Logits and labels differ in number.
    #[error("{logits} logits for {labels} labels: give one logit per sample")]
    Lengths {
        /// Number of logits.
        logits: usize,
        /// Number of labels.
        labels: usize,
    },
    /// No sample at all.
    #[error("there is no sample to evaluate: check that the split and the user filter leave some")]
    Empty,
    /// User offsets do not cut the samples into consecutive groups.
    #[error(
        "user_offsets[{index}] is {offset}, but offsets must start at 0, never fall, and end at the number of samples, {samples}"
    )]
    Offsets {
        /// Position in `user_offsets`.
        index: usize,
        /// The offset there.
        offset: usize,
        /// Number of samples.
        samples: usize,
    },
    /// More samples or users than 32 bits can count.
    #[error("{count} {what} are too many for one evaluation (at most {}): evaluate in parts", u32::MAX)]
    TooMany {
        /// `samples` or `users`.
        what: &'static str,
        /// How many there are.
        count: usize,
    },
    /// A logit is NaN or infinite.
    #[error(
        "logit {value} at sample {sample}: the model has diverged; lower the learning rate or look for broken features"
    )]
    NonFiniteLogit {
        /// Index of the first such sample.
        sample: usize,
        /// Its logit.
        value: f32,
    },
    /// A label is neither 0 nor 1.
    #[error("label {value} at sample {sample}: labels must be 0 or 1")]
    Label {
        /// Index of the first such sample.
        sample: usize,
        /// Its label.
        value: u8,
    },
    /// The baseline was not computed on the same users and samples, or not with the same bootstrap.
    #[error(
        "the baseline differs from the candidate in its {what}: a paired change needs the same users, samples and bootstrap"
    )]
    BaselineDiffers {
        /// What differs: `labels`, `user offsets` or `bootstrap settings`.
        what: &'static str,
    },
    /// The bootstrap's settings make no interval.
    #[error(
        "bootstrap of {resamples} resamples at confidence {confidence}: use at least 1 resample and a confidence between 0 and 1"
    )]
    Bootstrap {
        /// Number of resamples asked for.
        resamples: usize,
        /// Confidence asked for.
        confidence: f64,
    },
}

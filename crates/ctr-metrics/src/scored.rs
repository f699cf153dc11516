//! The samples of one evaluation.

use crate::MetricError;

/// Logits and labels of the samples of one evaluation, grouped by user.
#[derive(Debug, Clone, Copy)]
pub struct Scored<'a> {
    /// One logit per sample, finite.
    pub logits: &'a [f32],
    /// One label per sample, 0 or 1.
    pub labels: &'a [u8],
    /// `users + 1` ascending entries: the samples of user `u` are `user_offsets[u]..user_offsets[u + 1]`.
    pub user_offsets: &'a [usize],
}

impl<'a> Scored<'a> {
    /// The three columns, checked.
    ///
    /// # Errors
    /// See [`Scored::check`].
    pub fn new(logits: &'a [f32], labels: &'a [u8], user_offsets: &'a [usize]) -> Result<Self, MetricError> {
        let scored = Self { logits, labels, user_offsets };
        scored.check()?;
        Ok(scored)
    }

    /// Number of users.
    pub fn users(&self) -> usize {
        self.user_offsets.len().saturating_sub(1)
    }

    /// The logits and labels of each user, in user order. The offsets must be valid ([`Scored::check`]).
    pub fn by_user(&self) -> impl Iterator<Item = (&'a [f32], &'a [u8])> {
        let (logits, labels) = (self.logits, self.labels);
        self.user_offsets.windows(2).map(move |ends| (&logits[ends[0]..ends[1]], &labels[ends[0]..ends[1]]))
    }

    /// Checks that the columns fit together and hold only finite logits and binary labels.
    ///
    /// # Errors
    /// [`MetricError`] with the first offending position.
    pub fn check(&self) -> Result<(), MetricError> {
        let samples = self.labels.len();
        if self.logits.len() != samples {
            return Err(MetricError::Lengths { logits: self.logits.len(), labels: samples });
        }
        if samples == 0 {
            return Err(MetricError::Empty);
        }
        for (what, count) in [("samples", samples), ("users", self.users())] {
            if count > u32::MAX as usize {
                return Err(MetricError::TooMany { what, count });
            }
        }
        self.check_offsets(samples)?;
        if let Some(sample) = self.logits.iter().position(|logit| !logit.is_finite()) {
            return Err(MetricError::NonFiniteLogit { sample, value: self.logits[sample] });
        }
        match self.labels.iter().position(|&label| label > 1) {
            Some(sample) => Err(MetricError::Label { sample, value: self.labels[sample] }),
            None => Ok(()),
        }
    }

    fn check_offsets(&self, samples: usize) -> Result<(), MetricError> {
        let mut previous = 0;
        for (index, &offset) in self.user_offsets.iter().enumerate() {
            let starts_wrong = index == 0 && offset != 0;
            if starts_wrong || offset < previous || offset > samples {
                return Err(MetricError::Offsets { index, offset, samples });
            }
            previous = offset;
        }
        if previous != samples {
            return Err(MetricError::Offsets {
                index: self.user_offsets.len().saturating_sub(1),
                offset: previous,
                samples,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sound_evaluation_is_accepted_even_with_a_user_without_samples() {
        let scored = Scored::new(&[0.1, -0.2, 0.3], &[1, 0, 1], &[0, 2, 2, 3]).expect("sound");
        assert_eq!(scored.users(), 3);
        let sizes: Vec<usize> = scored.by_user().map(|(logits, _)| logits.len()).collect();
        assert_eq!(sizes, [2, 0, 1]);
    }

    #[test]
    fn each_flaw_is_named_with_its_position() {
        let refusal =
            |logits: &[f32], labels: &[u8], offsets: &[usize]| Scored::new(logits, labels, offsets).unwrap_err();
        assert_eq!(refusal(&[0.0], &[1, 0], &[0, 2]), MetricError::Lengths { logits: 1, labels: 2 });
        assert_eq!(refusal(&[], &[], &[0]), MetricError::Empty);
        let offsets = |index, offset| MetricError::Offsets { index, offset, samples: 2 };
        assert_eq!(refusal(&[0.0; 2], &[1, 0], &[1, 2]), offsets(0, 1));
        assert_eq!(refusal(&[0.0; 2], &[1, 0], &[0, 3]), offsets(1, 3));
        assert_eq!(refusal(&[0.0; 2], &[1, 0], &[0, 1]), offsets(1, 1));
        assert_eq!(refusal(&[0.0; 2], &[1, 0], &[0, 2, 1, 2]), offsets(2, 1));
        assert_eq!(refusal(&[0.0; 2], &[1, 0], &[]), offsets(0, 0));
        assert_eq!(refusal(&[0.0; 2], &[1, 2], &[0, 2]), MetricError::Label { sample: 1, value: 2 });
        assert!(matches!(
            refusal(&[0.0, f32::NAN], &[1, 0], &[0, 2]),
            MetricError::NonFiniteLogit { sample: 1, value } if value.is_nan()
        ));
        assert!(matches!(
            refusal(&[f32::INFINITY, 0.0], &[1, 0], &[0, 2]),
            MetricError::NonFiniteLogit { sample: 0, .. }
        ));
    }
}

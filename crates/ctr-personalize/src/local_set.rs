//! What a correction may look at.

/// A user's local samples, before correction.
#[derive(Debug, Clone, Copy)]
pub struct LocalSet<'a> {
    /// 0 or 1, at least one.
    pub labels: &'a [u8],
    /// The cloud model's logits on the same samples.
    pub cloud_logits: &'a [f32],
    /// `pi`: the label rate of the whole training part.
    pub global_ctr: f64,
}

impl LocalSet<'_> {
    /// `pi_u`: the label rate of the local samples.
    pub fn local_ctr(&self) -> f64 {
        self.positives() / self.labels.len() as f64
    }

    /// `(k + m pi) / (n + m)`: the local CTR pulled toward the global one by `m` pseudo-samples, so that it is never 0
    /// or 1.
    pub fn shrunk_local_ctr(&self, pseudo_samples: f64) -> f64 {
        (self.positives() + pseudo_samples * self.global_ctr) / (self.labels.len() as f64 + pseudo_samples)
    }

    /// Whether only one class is present.
    pub fn has_one_class(&self) -> bool {
        let positives = self.labels.iter().filter(|label| **label == 1).count();
        positives == 0 || positives == self.labels.len()
    }

    fn positives(&self) -> f64 {
        self.labels.iter().map(|label| f64::from(*label)).sum()
    }
}

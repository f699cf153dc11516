//! When to stop, and when to lower the step size.

use serde::{Deserialize, Serialize};

/// What is remembered between epochs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Schedule {
    pub learning_rate: f64,
    pub best_epoch: usize,
    pub best: Option<f64>,
    pub epochs_without_gain: usize,
}

impl Schedule {
    pub fn new(learning_rate: f64) -> Self {
        Self { learning_rate, best_epoch: 0, best: None, epochs_without_gain: 0 }
    }

    /// Takes in the monitored value of an epoch, higher being better, and says whether it is the best so far.
    pub fn observe(&mut self, epoch: usize, value: f64, learning_rate_factor: f64) -> bool {
        let better = self.best.is_none_or(|best| value > best);
        if better {
            self.best = Some(value);
            self.best_epoch = epoch;
            self.epochs_without_gain = 0;
        } else {
            self.epochs_without_gain += 1;
            self.learning_rate *= learning_rate_factor;
        }
        better
    }

    pub fn exhausted(&self, patience: usize) -> bool {
        self.epochs_without_gain > 0 && self.epochs_without_gain >= patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stops_after_patience_and_keeps_the_best_epoch() {
        let mut schedule = Schedule::new(0.1);
        let improved: Vec<bool> =
            [0.6, 0.7, 0.69, 0.71, 0.70, 0.70].iter().zip(1..).map(|(v, e)| schedule.observe(e, *v, 0.5)).collect();
        assert_eq!(improved, [true, true, false, true, false, false]);
        assert_eq!((schedule.best_epoch, schedule.best), (4, Some(0.71)));
        assert_eq!(schedule.learning_rate, 0.1 * 0.5 * 0.5 * 0.5);
        assert!(schedule.exhausted(2) && !schedule.exhausted(3));
    }
}

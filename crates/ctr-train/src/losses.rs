//! The losses of an epoch's steps.

use candle_core::{Device, Result, Tensor};

/// Steps after which the losses are read from a GPU: to read one is to wait for its step.
const STEPS_BETWEEN_READS: usize = 64;

/// A step whose loss is not finite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct NotFinite {
    /// Number of the step.
    pub step: u64,
    /// Its loss.
    pub loss: f32,
}

/// Losses, read at once on the CPU and now and then on a GPU.
pub(crate) struct Losses {
    unread: Vec<(u64, usize, Tensor)>,
    capacity: usize,
    /// Sum over samples.
    sum: f64,
}

impl Losses {
    /// None yet.
    pub fn new(device: &Device) -> Self {
        let capacity = if device.is_cpu() { 1 } else { STEPS_BETWEEN_READS };
        Self { unread: Vec::with_capacity(capacity), capacity, sum: 0.0 }
    }

    /// Takes the mean loss of a step over `samples`, and says which of the losses known by now is the first that is not finite.
    ///
    /// # Errors
    /// If the device fails.
    pub fn push(&mut self, step: u64, samples: usize, loss: Tensor) -> Result<Option<NotFinite>> {
        self.unread.push((step, samples, loss));
        if self.unread.len() < self.capacity { Ok(None) } else { self.read() }
    }

    /// Reads what is not read yet.
    ///
    /// # Errors
    /// If the device fails.
    pub fn read(&mut self) -> Result<Option<NotFinite>> {
        for (step, samples, loss) in self.unread.drain(..) {
            let loss = loss.to_scalar::<f32>()?;
            if !loss.is_finite() {
                return Ok(Some(NotFinite { step, loss }));
            }
            self.sum += f64::from(loss) * samples as f64;
        }
        Ok(None)
    }

    /// The sum of all losses that were read, over samples.
    pub fn sum(&self) -> f64 {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_loss_that_is_not_finite_is_named_even_when_read_late() -> Result<()> {
        let loss = |value: f32| Tensor::new(value, &Device::Cpu);
        let mut losses = Losses { capacity: 3, ..Losses::new(&Device::Cpu) };
        assert_eq!(losses.push(1, 10, loss(0.5)?)?, None);
        assert_eq!(losses.push(2, 10, loss(f32::INFINITY)?)?, None);
        let found = losses.push(3, 10, loss(f32::NAN)?)?;
        assert_eq!(found, Some(NotFinite { step: 2, loss: f32::INFINITY }));
        assert_eq!(losses.sum(), 5.0);
        let mut at_once = Losses::new(&Device::Cpu);
        assert!(at_once.push(1, 1, loss(f32::NAN)?)?.is_some());
        Ok(())
    }
}

//! Optimizer updates in place, one pass over parameter, gradient and state.
//!
//! candle's own AdamW step is fifteen allocating passes.

/// An update rule with all that is the same for every value in a step.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Update {
    /// `p -= learning_rate * (g + l2 * p)`.
    Sgd { learning_rate: f32, l2: f32 },
    /// `m = b1 m + (1 - b1) g` and `v = b2 v + (1 - b2) g^2` with `g` the gradient plus `l2 * p`, then `p *= decay` and
    /// `p -= step_size * m / (sqrt(v / second_moment_correction) + epsilon)`.
    Adam {
        beta1: f32,
        beta2: f32,
        /// `1 - beta1` and `1 - beta2`, taken in `f64`: in `f32` the latter would be off by 5e-5 of its value.
        complements: [f32; 2],
        l2: f32,
        /// `learning_rate / (1 - b1^t)`.
        step_size: f32,
        /// `1 - b2^t`.
        second_moment_correction: f32,
        epsilon: f32,
        /// The decoupled decay of AdamW, `1 - learning_rate * weight_decay`; 1 for Adam.
        decay: f32,
    },
    /// `s += g^2` with `g` the gradient plus `l2 * p`, then `p -= learning_rate * g / (sqrt(s) + epsilon)`.
    Adagrad { learning_rate: f32, epsilon: f32, l2: f32 },
}

impl Update {
    /// Values of state for every value of a parameter.
    pub fn state_per_value(&self) -> usize {
        match self {
            Update::Sgd { .. } => 0,
            Update::Adam { .. } => 2,
            Update::Adagrad { .. } => 1,
        }
    }

    /// Updates one row: its values `p`, its state (Adam's first moments, then its second ones) and its gradient `g`.
    #[inline(always)]
    pub fn apply(&self, p: &mut [f32], state: &mut [f32], g: &[f32]) {
        // One length for all, which the compiler may know.
        let p = &mut p[..g.len()];
        match *self {
            Update::Sgd { learning_rate, l2 } => {
                for (p, g) in p.iter_mut().zip(g) {
                    *p -= learning_rate * (g + l2 * *p);
                }
            }
            Update::Adam { beta1, beta2, complements, l2, step_size, second_moment_correction, epsilon, decay } => {
                let (m, v) = state.split_at_mut(p.len());
                let v = &mut v[..p.len()];
                for ((p, g), (m, v)) in p.iter_mut().zip(g).zip(m.iter_mut().zip(v)) {
                    let g = g + l2 * *p;
                    *m = beta1 * *m + complements[0] * g;
                    *v = beta2 * *v + complements[1] * g * g;
                    let denominator = (*v / second_moment_correction).sqrt() + epsilon;
                    *p = *p * decay - step_size * *m / denominator;
                }
            }
            Update::Adagrad { learning_rate, epsilon, l2 } => {
                for ((p, g), s) in p.iter_mut().zip(g).zip(state) {
                    let g = g + l2 * *p;
                    *s += g * g;
                    *p -= learning_rate * g / (s.sqrt() + epsilon);
                }
            }
        }
    }
}

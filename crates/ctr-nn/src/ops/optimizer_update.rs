//! Optimizer updates in place, one pass over parameter, gradient and state.
//!
//! candle's own AdamW step is fifteen allocating passes.

use multiversion::multiversion;

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
        let (first, second) = state.split_at_mut(state.len().min(g.len()));
        self.apply_to_values(p, first, second, g);
    }

    /// The same for a row that may be long, in parallel.
    pub fn apply_in_parallel(&self, p: &mut [f32], state: &mut [f32], g: &[f32]) {
        let (first, second) = state.split_at_mut(state.len().min(g.len()));
        apply_in_parallel(self, p, first, second, g);
    }

    /// Updates values, each by its gradient. `first` are Adam's first moments or Adagrad's sums, `second` Adam's second moments.
    #[inline(always)]
    fn apply_to_values(&self, p: &mut [f32], first: &mut [f32], second: &mut [f32], g: &[f32]) {
        // One length for all, which the compiler may know.
        let p = &mut p[..g.len()];
        match *self {
            Update::Sgd { learning_rate, l2 } => {
                for (p, g) in p.iter_mut().zip(g) {
                    *p -= learning_rate * (g + l2 * *p);
                }
            }
            Update::Adam { beta1, beta2, complements, l2, step_size, second_moment_correction, epsilon, decay } => {
                let (first, second) = (&mut first[..g.len()], &mut second[..g.len()]);
                for ((p, g), (m, v)) in p.iter_mut().zip(g).zip(first.iter_mut().zip(second)) {
                    let g = g + l2 * *p;
                    *m = beta1 * *m + complements[0] * g;
                    *v = beta2 * *v + complements[1] * g * g;
                    let denominator = (*v / second_moment_correction).sqrt() + epsilon;
                    *p = *p * decay - step_size * *m / denominator;
                }
            }
            Update::Adagrad { learning_rate, epsilon, l2 } => {
                for ((p, g), sum) in p.iter_mut().zip(g).zip(&mut first[..g.len()]) {
                    let g = g + l2 * *p;
                    *sum += g * g;
                    *p -= learning_rate * g / (sum.sqrt() + epsilon);
                }
            }
        }
    }
}

/// Values that one thread updates at once: more than a user's copy has, since many of those are updated in parallel already.
const AT_ONCE: usize = 1 << 15;

fn apply_in_parallel(update: &Update, p: &mut [f32], first: &mut [f32], second: &mut [f32], g: &[f32]) {
    if g.len() <= AT_ONCE {
        return apply_to_many(update, p, first, second, g);
    }
    let middle = g.len() / 2;
    let (p, p_behind) = p.split_at_mut(middle);
    // What a rule does not keep is empty.
    let (first, first_behind) = first.split_at_mut(middle.min(first.len()));
    let (second, second_behind) = second.split_at_mut(middle.min(second.len()));
    let (g, g_behind) = g.split_at(middle);
    rayon::join(
        || apply_in_parallel(update, p, first, second, g),
        || apply_in_parallel(update, p_behind, first_behind, second_behind, g_behind),
    );
}

#[multiversion(targets("x86_64+avx2"))]
fn apply_to_many(update: &Update, p: &mut [f32], first: &mut [f32], second: &mut [f32], g: &[f32]) {
    update.apply_to_values(p, first, second, g);
}

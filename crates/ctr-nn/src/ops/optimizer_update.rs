//! Optimizer updates in place, one pass over parameter, gradient and state.
//!
//! candle's own AdamW step is fifteen allocating passes. Only the first tensor of an in-place operation may change,
//! hence state and parameter are updated by one operation each.

use super::{Rows, f32_slice, f32_slice_mut};
use candle_core::{CpuStorage, InplaceOp2, InplaceOp3, Layout, Result, bail};

/// Rows and values per row of a parameter.
fn row_shape(layout: &Layout) -> Result<(usize, usize)> {
    match layout.dims() {
        [] => bail!("a parameter needs at least one dimension"),
        [rows, rest @ ..] => Ok((*rows, rest.iter().product())),
    }
}

/// `p -= learning_rate * (g + l2 * p)`.
pub(crate) struct Sgd {
    pub learning_rate: f32,
    pub l2: f32,
    pub rows: Rows,
}

impl InplaceOp2 for Sgd {
    fn name(&self) -> &'static str {
        "sgd"
    }

    fn cpu_fwd(&self, p: &mut CpuStorage, p_layout: &Layout, g: &CpuStorage, g_layout: &Layout) -> Result<()> {
        let (rows, len) = row_shape(p_layout)?;
        let p = f32_slice_mut(self.name(), p, p_layout)?;
        let g = f32_slice(self.name(), g, g_layout)?;
        self.rows.update([p], rows, len, |[p], _, from| {
            for (p, g) in p.iter_mut().zip(&g[from * len..(from + 1) * len]) {
                *p -= self.learning_rate * (g + self.l2 * *p);
            }
        })
    }
}

/// Adam's first and second moment, stacked `[2, parameter.shape…]`: `m = b1 m + (1 - b1) g`, `v = b2 v + (1 - b2) g^2`
/// with `g` the gradient plus `l2 * p`. Operands: moments, gradient, parameter.
pub(crate) struct AdamMoments {
    pub beta1: f32,
    pub beta2: f32,
    /// `1 - beta1` and `1 - beta2`, taken in `f64`: in `f32` the latter would be off by 5e-5 of its value.
    pub complements: [f32; 2],
    pub l2: f32,
    pub rows: Rows,
}

impl InplaceOp3 for AdamMoments {
    fn name(&self) -> &'static str {
        "adam_moments"
    }

    fn cpu_fwd(
        &self,
        moments: &mut CpuStorage,
        moments_layout: &Layout,
        g: &CpuStorage,
        g_layout: &Layout,
        p: &CpuStorage,
        p_layout: &Layout,
    ) -> Result<()> {
        let (rows, len) = row_shape(p_layout)?;
        let moments = f32_slice_mut(self.name(), moments, moments_layout)?;
        let g = f32_slice(self.name(), g, g_layout)?;
        let p = f32_slice(self.name(), p, p_layout)?;
        let (m, v) = moments.split_at_mut(rows * len);
        self.rows.update([m, v], rows, len, |[m, v], row, from| {
            let (g, p) = (&g[from * len..(from + 1) * len], &p[row * len..(row + 1) * len]);
            for ((m, v), (g, p)) in m.iter_mut().zip(v).zip(g.iter().zip(p)) {
                let g = g + self.l2 * p;
                *m = self.beta1 * *m + self.complements[0] * g;
                *v = self.beta2 * *v + self.complements[1] * g * g;
            }
        })
    }
}

/// Adam's move, with the moments of [`AdamMoments`]: `p -= learning_rate / (1 - b1^t) * m / (sqrt(v / (1 - b2^t)) + eps)`,
/// after `p *= 1 - learning_rate * weight_decay` (the decoupled decay of AdamW, 0 for Adam).
pub(crate) struct AdamParameter {
    pub step_size: f32,
    pub second_moment_correction: f32,
    pub epsilon: f32,
    pub decay: f32,
    pub rows: Rows,
}

impl InplaceOp2 for AdamParameter {
    fn name(&self) -> &'static str {
        "adam"
    }

    fn cpu_fwd(&self, p: &mut CpuStorage, p_layout: &Layout, s: &CpuStorage, s_layout: &Layout) -> Result<()> {
        let (rows, len) = row_shape(p_layout)?;
        let p = f32_slice_mut(self.name(), p, p_layout)?;
        let (m, v) = f32_slice(self.name(), s, s_layout)?.split_at(rows * len);
        self.rows.update([p], rows, len, |[p], row, _| {
            let state = m[row * len..(row + 1) * len].iter().zip(&v[row * len..(row + 1) * len]);
            for (p, (m, v)) in p.iter_mut().zip(state) {
                let denominator = (v / self.second_moment_correction).sqrt() + self.epsilon;
                *p = *p * self.decay - self.step_size * m / denominator;
            }
        })
    }
}

/// Adagrad's sum of squared gradients: `s += g^2` with `g` the gradient plus `l2 * p`. Operands: sum, gradient, parameter.
pub(crate) struct AdagradSum {
    pub l2: f32,
    pub rows: Rows,
}

impl InplaceOp3 for AdagradSum {
    fn name(&self) -> &'static str {
        "adagrad_sum"
    }

    fn cpu_fwd(
        &self,
        s: &mut CpuStorage,
        s_layout: &Layout,
        g: &CpuStorage,
        g_layout: &Layout,
        p: &CpuStorage,
        p_layout: &Layout,
    ) -> Result<()> {
        let (rows, len) = row_shape(p_layout)?;
        let s = f32_slice_mut(self.name(), s, s_layout)?;
        let g = f32_slice(self.name(), g, g_layout)?;
        let p = f32_slice(self.name(), p, p_layout)?;
        self.rows.update([s], rows, len, |[s], row, from| {
            let (g, p) = (&g[from * len..(from + 1) * len], &p[row * len..(row + 1) * len]);
            for (s, (g, p)) in s.iter_mut().zip(g.iter().zip(p)) {
                let g = g + self.l2 * p;
                *s += g * g;
            }
        })
    }
}

/// Adagrad's move: `p -= learning_rate * g / (sqrt(s) + eps)`. Operands: parameter, gradient, sum.
pub(crate) struct AdagradParameter {
    pub learning_rate: f32,
    pub epsilon: f32,
    pub l2: f32,
    pub rows: Rows,
}

impl InplaceOp3 for AdagradParameter {
    fn name(&self) -> &'static str {
        "adagrad"
    }

    fn cpu_fwd(
        &self,
        p: &mut CpuStorage,
        p_layout: &Layout,
        g: &CpuStorage,
        g_layout: &Layout,
        s: &CpuStorage,
        s_layout: &Layout,
    ) -> Result<()> {
        let (rows, len) = row_shape(p_layout)?;
        let p = f32_slice_mut(self.name(), p, p_layout)?;
        let g = f32_slice(self.name(), g, g_layout)?;
        let s = f32_slice(self.name(), s, s_layout)?;
        self.rows.update([p], rows, len, |[p], row, from| {
            let (g, s) = (&g[from * len..(from + 1) * len], &s[row * len..(row + 1) * len]);
            for (p, (g, s)) in p.iter_mut().zip(g.iter().zip(s)) {
                let g = g + self.l2 * *p;
                *p -= self.learning_rate * g / (s.sqrt() + self.epsilon);
            }
        })
    }
}

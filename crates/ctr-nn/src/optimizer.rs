//! SGD, Adam, AdamW and Adagrad, with PyTorch's formulas and defaults.
//!
//! Every formula is element-wise, so an update over `[replicas, …]` is exactly the update of each replica alone, and an
//! update of some rows only ([`Rows::Scattered`]) is the row-sparse ("lazy") variant: rows outside the batch keep value
//! and moments. That is another training rule than the dense one, in which moments decay and L2 pulls at every step.

use crate::ops::{AdagradParameter, AdagradSum, AdamMoments, AdamParameter, Rows, Sgd};
use candle_core::{Result, Tensor, Var};
use serde::{Deserialize, Serialize};

/// The update rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// Plain gradient descent.
    Sgd,
    /// Kingma and Ba 2015; L2 is added to the gradient.
    Adam,
    /// Loshchilov and Hutter 2019; `weight_decay` shrinks the parameter directly.
    Adamw,
    /// Duchi et al. 2011.
    Adagrad,
}

/// An update rule with its constants.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptimizerConfig {
    /// The update rule.
    pub algorithm: Algorithm,
    /// Step size.
    pub learning_rate: f64,
    /// Adam's decay of the first moment.
    #[serde(default = "beta1")]
    pub beta1: f64,
    /// Adam's decay of the second moment.
    #[serde(default = "beta2")]
    pub beta2: f64,
    /// Added to the denominator of Adam, AdamW (1e-8) and Adagrad (1e-10).
    #[serde(default)]
    pub epsilon: Option<f64>,
    /// AdamW's decoupled decay; the other rules take L2 instead.
    #[serde(default)]
    pub weight_decay: f64,
}

fn beta1() -> f64 {
    0.9
}

fn beta2() -> f64 {
    0.999
}

impl OptimizerConfig {
    /// A rule with PyTorch's default constants.
    pub fn new(algorithm: Algorithm, learning_rate: f64) -> Self {
        Self { algorithm, learning_rate, beta1: beta1(), beta2: beta2(), epsilon: None, weight_decay: 0.0 }
    }

    /// Says what is wrong with the constants, if anything is.
    ///
    /// # Errors
    /// A message that names the key, the value and the admissible range.
    pub fn validate(&self) -> std::result::Result<(), String> {
        let rate = self.learning_rate;
        if !(rate.is_finite() && rate > 0.0) {
            return Err(format!("learning_rate is {rate}; it must be positive"));
        }
        for (name, beta) in [("beta1", self.beta1), ("beta2", self.beta2)] {
            if !(0.0..1.0).contains(&beta) {
                return Err(format!("{name} is {beta}; it must be in [0, 1)"));
            }
        }
        if self.epsilon.is_some_and(|epsilon| !(epsilon.is_finite() && epsilon > 0.0)) {
            return Err("epsilon must be positive".into());
        }
        if !(self.weight_decay.is_finite() && self.weight_decay >= 0.0) {
            return Err(format!("weight_decay is {}; it must be at least 0", self.weight_decay));
        }
        if self.weight_decay > 0.0 && self.algorithm != Algorithm::Adamw {
            return Err(
                "weight_decay belongs to adamw; with another rule use training.l2_embedding and training.l2_dense"
                    .into(),
            );
        }
        Ok(())
    }

    fn epsilon(&self) -> f64 {
        self.epsilon.unwrap_or(if self.algorithm == Algorithm::Adagrad { 1e-10 } else { 1e-8 })
    }

    /// The state that a parameter of this shape needs: Adam's two moments stacked in front (`[2, shape…]`), Adagrad's
    /// sum (`shape`), none for SGD.
    ///
    /// # Errors
    /// If the memory cannot be had.
    pub fn new_state(&self, parameter: &Tensor) -> Result<Option<Var>> {
        let shape = match self.algorithm {
            Algorithm::Sgd => return Ok(None),
            Algorithm::Adam | Algorithm::Adamw => [&[2], parameter.dims()].concat(),
            Algorithm::Adagrad => parameter.dims().to_vec(),
        };
        Var::zeros(shape, parameter.dtype(), parameter.device()).map(Some)
    }

    /// Updates `parameter` in place.
    ///
    /// # Errors
    /// If shapes do not fit or the state is missing.
    pub fn step(&self, parameter: &Var, grad: &Tensor, state: Option<&Var>, step: &Step) -> Result<()> {
        if !parameter.device().is_cpu() {
            return self.step_plain(parameter, grad, state, step);
        }
        let grad = grad.contiguous()?;
        let (learning_rate, l2) = (step.learning_rate as f32, step.l2 as f32);
        let rows = || step.rows.clone();
        let state = || state.ok_or_else(|| candle_core::Error::Msg(format!("{:?} needs its state", self.algorithm)));
        match self.algorithm {
            Algorithm::Sgd => parameter.inplace_op2(&grad, &Sgd { learning_rate, l2, rows: rows() }),
            Algorithm::Adam | Algorithm::Adamw => {
                let moments = AdamMoments {
                    beta1: self.beta1 as f32,
                    beta2: self.beta2 as f32,
                    complements: [(1.0 - self.beta1) as f32, (1.0 - self.beta2) as f32],
                    l2,
                    rows: rows(),
                };
                state()?.inplace_op3(&grad, parameter, &moments)?;
                let update = AdamParameter {
                    step_size: (step.learning_rate / (1.0 - self.beta1.powf(step.number as f64))) as f32,
                    second_moment_correction: (1.0 - self.beta2.powf(step.number as f64)) as f32,
                    epsilon: self.epsilon() as f32,
                    decay: (1.0 - step.learning_rate * self.weight_decay) as f32,
                    rows: rows(),
                };
                parameter.inplace_op2(state()?, &update)
            }
            Algorithm::Adagrad => {
                state()?.inplace_op3(&grad, parameter, &AdagradSum { l2, rows: rows() })?;
                let epsilon = self.epsilon() as f32;
                parameter.inplace_op3(&grad, state()?, &AdagradParameter { learning_rate, epsilon, l2, rows: rows() })
            }
        }
    }

    /// The same update in plain candle operations, for devices without a fused one.
    fn step_plain(&self, parameter: &Var, grad: &Tensor, state: Option<&Var>, step: &Step) -> Result<()> {
        let select = |t: &Tensor| match &step.rows {
            Rows::Scattered(ids) => t.index_select(&Tensor::new(&**ids, t.device())?, 0),
            Rows::All | Rows::Active(_) => Ok(t.clone()),
        };
        // Writes `new` over the selected rows; rows that are not active keep their value.
        let assign = |old_all: &Tensor, old: &Tensor, new: &Tensor| -> Result<Tensor> {
            let change = (new - old)?;
            match &step.rows {
                Rows::All => Ok(new.clone()),
                Rows::Scattered(ids) => old_all.index_add(&Tensor::new(&**ids, old_all.device())?, &change, 0),
                Rows::Active(active) => {
                    let mut mask = vec![0f32; old_all.dim(0)?];
                    active.iter().for_each(|&row| mask[row as usize] = 1.0);
                    let mut shape = vec![1; old_all.rank()];
                    shape[0] = mask.len();
                    let mask = Tensor::from_vec(mask, shape, old_all.device())?;
                    old_all + change.broadcast_mul(&mask)?
                }
            }
        };
        let p = select(parameter)?;
        let grad = if step.l2 == 0.0 { grad.clone() } else { (grad + (&p * step.l2)?)? };
        let state = || state.ok_or_else(|| candle_core::Error::Msg(format!("{:?} needs its state", self.algorithm)));
        let new = match self.algorithm {
            Algorithm::Sgd => (&p - (grad * step.learning_rate)?)?,
            Algorithm::Adam | Algorithm::Adamw => {
                let state = state()?;
                let (m_all, v_all) = (state.get(0)?, state.get(1)?);
                let (m_old, v_old) = (select(&m_all)?, select(&v_all)?);
                let m = ((&m_old * self.beta1)? + (&grad * (1.0 - self.beta1))?)?;
                let v = ((&v_old * self.beta2)? + (grad.sqr()? * (1.0 - self.beta2))?)?;
                state.set(&Tensor::stack(&[assign(&m_all, &m_old, &m)?, assign(&v_all, &v_old, &v)?], 0)?)?;
                let v_hat = (v / (1.0 - self.beta2.powf(step.number as f64)))?;
                let step_size = step.learning_rate / (1.0 - self.beta1.powf(step.number as f64));
                let shift = (m * step_size)?.div(&(v_hat.sqrt()? + self.epsilon())?)?;
                ((&p * (1.0 - step.learning_rate * self.weight_decay))? - shift)?
            }
            Algorithm::Adagrad => {
                let state = state()?;
                let old = select(state)?;
                let sum = (&old + grad.sqr()?)?;
                state.set(&assign(state, &old, &sum)?)?;
                (&p - (grad * step.learning_rate)?.div(&(sum.sqrt()? + self.epsilon())?)?)?
            }
        };
        parameter.set(&assign(parameter, &p, &new)?)
    }
}

/// What changes from one update to the next.
#[derive(Debug, Clone)]
pub struct Step {
    /// Counts from 1; Adam's bias correction depends on it.
    pub number: u64,
    /// Step size now, after any schedule.
    pub learning_rate: f64,
    /// `l2 * p` is added to the gradient: the gradient of `l2 / 2 * ||p||^2`, as FuxiCTR defines it.
    pub l2: f64,
    /// The rows to update.
    pub rows: Rows,
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    const GRADS: [[f32; 4]; 3] = [[0.1, -0.2, 0.3, 0.0], [-0.5, 0.4, 0.0, 0.2], [0.05, 0.05, -0.1, -0.3]];

    fn run(config: OptimizerConfig, l2: f64, rows: Rows, plain: bool) -> Result<Vec<f32>> {
        let start = Tensor::new(&[[1.0f32, -2.0], [0.5, 3.0]], &Device::Cpu)?;
        let p = Var::from_tensor(&start)?;
        let state = config.new_state(&p)?;
        for (i, grad) in GRADS.iter().enumerate() {
            let grad = Tensor::from_slice(grad, (2, 2), &Device::Cpu)?;
            let step = Step { number: i as u64 + 1, learning_rate: config.learning_rate, l2, rows: rows.clone() };
            if plain {
                config.step_plain(&p, &grad, state.as_ref(), &step)?;
            } else {
                config.step(&p, &grad, state.as_ref(), &step)?;
            }
        }
        p.flatten_all()?.to_vec1()
    }

    fn assert_close(actual: &[f32], expected: &[f32]) {
        for (a, e) in actual.iter().zip(expected) {
            assert!((a - e).abs() <= 2e-7 * e.abs().max(1.0), "{actual:?} is not {expected:?}");
        }
    }

    /// ```python
    /// import torch
    /// grads = torch.tensor([[.1,-.2,.3,0.],[-.5,.4,0.,.2],[.05,.05,-.1,-.3]])
    /// for make in [lambda p: torch.optim.SGD([p], lr=.1, weight_decay=.01),
    ///              lambda p: torch.optim.Adam([p], lr=.1, weight_decay=.01),
    ///              lambda p: torch.optim.AdamW([p], lr=.1, weight_decay=.5),
    ///              lambda p: torch.optim.Adagrad([p], lr=.1, weight_decay=.01)]:
    ///     p = torch.nn.Parameter(torch.tensor([1., -2., .5, 3.])); optimizer = make(p)
    ///     for g in grads: p.grad = g.clone(); optimizer.step()
    ///     print(p.data)
    /// ```
    #[test]
    fn equals_pytorch() -> Result<()> {
        for (algorithm, l2, weight_decay, expected) in golden() {
            let config = OptimizerConfig { weight_decay, ..OptimizerConfig::new(algorithm, 0.1) };
            for plain in [false, true] {
                assert_close(&run(config, l2, Rows::All, plain)?, &expected);
            }
        }
        Ok(())
    }

    fn golden() -> [(Algorithm, f64, f64, [f32; 4]); 4] {
        [
            (Algorithm::Sgd, 0.01, 0.0, [1.031973, -2.019006, 0.47856146, 3.001029]),
            (Algorithm::Adam, 0.01, 0.0, [0.99496144, -1.9592757, 0.3012569, 2.8249373]),
            (Algorithm::Adamw, 0.0, 0.5, [0.8637632, -1.6945063, 0.24586844, 2.5226963]),
            (Algorithm::Adagrad, 0.01, 0.0, [0.9857453, -1.9934329, 0.42871335, 2.8770738]),
        ]
    }

    #[test]
    fn rows_outside_the_update_do_not_move() -> Result<()> {
        for algorithm in [Algorithm::Sgd, Algorithm::Adam, Algorithm::Adamw, Algorithm::Adagrad] {
            let config = OptimizerConfig::new(algorithm, 0.1);
            let all = run(config, 0.01, Rows::All, false)?;
            for plain in [false, true] {
                let some = run(config, 0.01, Rows::Active([1].into()), plain)?;
                assert_eq!(some[..2], [1.0, -2.0]);
                assert_close(&some[2..], &all[2..]);
            }
        }
        Ok(())
    }

    #[test]
    fn scattered_rows_follow_their_ids() -> Result<()> {
        for algorithm in [Algorithm::Sgd, Algorithm::Adam, Algorithm::Adamw, Algorithm::Adagrad] {
            let config = OptimizerConfig::new(algorithm, 0.1);
            let swapped = Rows::Scattered([1, 0].into());
            assert_close(&run(config, 0.01, swapped.clone(), false)?, &run(config, 0.01, swapped, true)?);
        }
        Ok(())
    }
}

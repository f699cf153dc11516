//! The update rules in plain candle operations, for devices without kernels; the others are tested against them.

use crate::ops::Rows;
use crate::{Algorithm, OptimizerConfig, RowGradients, RowOrder, Step};
use candle_core::{Result, Tensor, Var, bail};

impl OptimizerConfig {
    /// [`Self::step`] in plain candle operations, for devices without a fused one.
    pub(crate) fn step_plain(
        &self,
        parameter: &Var,
        grad: &Tensor,
        state: Option<&Var>,
        rows: &Rows,
        step: &Step,
    ) -> Result<()> {
        // Rows that are not active keep their value.
        let assign = |old: &Tensor, new: Tensor| -> Result<Tensor> {
            let Rows::Active(active) = rows else { return Ok(new) };
            let mut mask = vec![0f32; old.dim(0)?];
            active.iter().for_each(|&row| mask[row as usize] = 1.0);
            let mut shape = vec![1; old.rank()];
            shape[0] = mask.len();
            let mask = Tensor::from_vec(mask, shape, old.device())?;
            old + (new - old)?.broadcast_mul(&mask)?
        };
        let (new, new_state) = self.rule(parameter, grad, state.map(Var::as_tensor), step)?;
        if let (Some(state), Some(new)) = (state, new_state) {
            state.set(&assign(state, new)?)?;
        }
        parameter.set(&assign(parameter, new)?)
    }

    /// [`Self::step_rows`] in plain candle operations.
    pub(crate) fn step_rows_plain(
        &self,
        parameter: &Var,
        gradients: &RowGradients,
        order: &RowOrder,
        state: Option<&Var>,
        step: &Step,
    ) -> Result<()> {
        let (grad, rows) = gradients.summed_plain(order)?;
        let assign = |all: &Var, old: &Tensor, new: Tensor| all.set(&all.index_add(&rows, &(new - old)?, 0)?);
        let old = parameter.index_select(&rows, 0)?;
        let old_state = state.map(|state| state.index_select(&rows, 0)).transpose()?;
        let (new, new_state) = self.rule(&old, &grad, old_state.as_ref(), step)?;
        if let (Some(state), Some(old), Some(new)) = (state, old_state, new_state) {
            assign(state, &old, new)?;
        }
        assign(parameter, &old, new)
    }

    /// New values and new state in plain candle operations.
    fn rule(&self, p: &Tensor, grad: &Tensor, state: Option<&Tensor>, step: &Step) -> Result<(Tensor, Option<Tensor>)> {
        let grad = if step.l2 == 0.0 { grad.clone() } else { (grad + (p * step.l2)?)? };
        let state = || match state {
            Some(state) => Ok(state),
            None => bail!("{:?} needs its state", self.algorithm),
        };
        Ok(match self.algorithm {
            Algorithm::Sgd => ((p - (grad * step.learning_rate)?)?, None),
            Algorithm::Adam | Algorithm::Adamw => {
                let (m, v) = (state()?.narrow(1, 0, 1)?.squeeze(1)?, state()?.narrow(1, 1, 1)?.squeeze(1)?);
                let m = ((m * self.beta1)? + (&grad * (1.0 - self.beta1))?)?;
                let v = ((v * self.beta2)? + (grad.sqr()? * (1.0 - self.beta2))?)?;
                let new_state = Tensor::stack(&[&m, &v], 1)?;
                let v_hat = (v / (1.0 - self.beta2.powf(step.number as f64)))?;
                let step_size = step.learning_rate / (1.0 - self.beta1.powf(step.number as f64));
                let shift = (m * step_size)?.div(&(v_hat.sqrt()? + self.epsilon())?)?;
                (((p * (1.0 - step.learning_rate * self.weight_decay))? - shift)?, Some(new_state))
            }
            Algorithm::Adagrad => {
                let sum = (state()? + grad.sqr()?)?;
                let new = (p - (grad * step.learning_rate)?.div(&(sum.sqrt()? + self.epsilon())?)?)?;
                (new, Some(sum))
            }
        })
    }
}

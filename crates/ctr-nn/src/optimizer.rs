//! SGD, Adam, AdamW and Adagrad, with PyTorch's formulas and defaults.
//!
//! Every formula is element-wise, so an update over `[replicas, …]` is exactly the update of each replica alone, and an
//! update of looked-up rows only ([`OptimizerConfig::step_rows`]) is the row-sparse ("lazy") variant: rows outside the
//! batch keep value and moments. That is another training rule than the dense one, in which moments decay and L2 pulls at
//! every step.

#[cfg(feature = "cuda")]
use crate::cuda;
use crate::ops::{self, Rows, Update};
use crate::{RowGradients, RowOrder};
use candle_core::{Result, Storage, Tensor, Var, bail};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Values of a state that one thread writes first, 4 MiB.
const TOUCHED_AT_ONCE: usize = 1 << 20;

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

    pub(crate) fn epsilon(&self) -> f64 {
        self.epsilon.unwrap_or(if self.algorithm == Algorithm::Adagrad { 1e-10 } else { 1e-8 })
    }

    /// The state that a parameter of this shape needs, by row (slice along the first dimension): Adam's two moments
    /// (`[rows, 2, row shape…]`), Adagrad's sum (`[rows, row shape…]`), none for SGD. What a row needs lies together, since
    /// an update of scattered rows waits for memory.
    ///
    /// # Errors
    /// If the memory cannot be had.
    pub fn new_state(&self, parameter: &Tensor) -> Result<Option<Var>> {
        let [rows, row_shape @ ..] = parameter.dims() else { bail!("a parameter needs at least one dimension") };
        let shape = match self.algorithm {
            Algorithm::Sgd => return Ok(None),
            Algorithm::Adam | Algorithm::Adamw => [&[*rows, 2], row_shape].concat(),
            Algorithm::Adagrad => parameter.dims().to_vec(),
        };
        Var::zeros(shape, parameter.dtype(), parameter.device()).map(Some)
    }

    /// The same, its memory written: on the CPU the system finds memory of zeros when it is first touched, which for a large
    /// table would be within the time of the first steps.
    ///
    /// # Errors
    /// If the memory cannot be had.
    pub fn new_touched_state(&self, parameter: &Tensor) -> Result<Option<Var>> {
        let state = self.new_state(parameter)?;
        if let Some(state) = state.as_ref().filter(|state| ops::has_cpu_kernels(state.device())) {
            ops::in_place(state, |values| {
                values.par_chunks_mut(TOUCHED_AT_ONCE).for_each(|part| part.fill(0.0));
                Ok(())
            })?;
        }
        Ok(state)
    }

    /// Updates `parameter` in place; `grad` has its shape.
    ///
    /// # Errors
    /// If shapes do not fit, rows are out of range or not in ascending order, or the state is missing.
    pub fn step(&self, parameter: &Var, grad: &Tensor, state: Option<&Var>, rows: &Rows, step: &Step) -> Result<()> {
        #[cfg(feature = "cuda")]
        if parameter.device().is_cuda() {
            let state = state.map(Var::as_tensor);
            return cuda::update_rows(parameter, state, &grad.contiguous()?, self.update(step), rows);
        }
        let (count, row_len) = row_shape(parameter)?;
        rows.check(count)?;
        if !ops::has_cpu_kernels(parameter.device()) {
            return self.step_plain(parameter, grad, state, rows, step);
        }
        if grad.dims() != parameter.dims() {
            bail!("a gradient {:?} does not fit its parameter {:?}", grad.shape(), parameter.shape());
        }
        let grad = grad.contiguous()?;
        let (storage, layout) = grad.storage_and_layout();
        let Storage::Cpu(storage) = &*storage else { bail!("gradient and parameter are on different devices") };
        let g = ops::f32_slice("optimizer", storage, layout)?;
        let update = self.update(step);
        let state_len = update.state_per_value() * row_len;
        self.in_place(parameter, state, |p, state| {
            rows.for_each(count, |row| {
                let (of_row, of_state) = (row * row_len..(row + 1) * row_len, row * state_len..(row + 1) * state_len);
                update.apply(&mut p[of_row.clone()], &mut state[of_state], &g[of_row]);
            });
            Ok(())
        })
    }

    /// Updates the rows of a table that were looked up, in place: the row-sparse variant. `order` is that of the look-ups.
    /// On the CPU and on CUDA devices it costs what was looked up; on others a copy of the table and its state is made.
    ///
    /// # Errors
    /// If an id is out of range, shapes do not fit, or the state is missing.
    pub fn step_rows(
        &self,
        parameter: &Var,
        gradients: &RowGradients,
        order: &RowOrder,
        state: Option<&Var>,
        step: &Step,
    ) -> Result<()> {
        #[cfg(feature = "cuda")]
        if parameter.device().is_cuda() {
            return gradients.update_on_cuda(order, parameter, state.map(Var::as_tensor), self.update(step));
        }
        if !ops::has_cpu_kernels(parameter.device()) {
            return self.step_rows_plain(parameter, gradients, order, state, step);
        }
        let (_, row_len) = row_shape(parameter)?;
        let update = self.update(step);
        let state_len = update.state_per_value() * row_len;
        self.in_place(parameter, state, |p, state| {
            gradients.for_each_row(order, [(p, row_len), (state, state_len)], &update)
        })
    }

    /// Updates all rows of a table in place, with zero gradients for those that were not looked up: the dense rule, in which
    /// their moments decay and L2 pulls at them. `order` is that of the look-ups.
    ///
    /// # Errors
    /// If an id is out of range, shapes do not fit, or the state is missing.
    pub fn step_all_rows(
        &self,
        parameter: &Var,
        gradients: &RowGradients,
        order: &RowOrder,
        state: Option<&Var>,
        step: &Step,
    ) -> Result<()> {
        if !ops::has_cpu_kernels(parameter.device()) {
            let grad = gradients.to_dense(order, parameter.dim(0)?)?;
            return self.step(parameter, &grad, state, &Rows::All, step);
        }
        let (_, row_len) = row_shape(parameter)?;
        let update = self.update(step);
        let state_len = update.state_per_value() * row_len;
        self.in_place(parameter, state, |p, state| {
            gradients.for_all_rows(order, [(p, row_len), (state, state_len)], &update)
        })
    }

    /// Runs `work` on the values of a parameter and of its state; the state of SGD is empty.
    fn in_place(
        &self,
        parameter: &Var,
        state: Option<&Var>,
        work: impl FnOnce(&mut [f32], &mut [f32]) -> Result<()>,
    ) -> Result<()> {
        if self.algorithm == Algorithm::Sgd {
            return ops::in_place(parameter, |p| work(p, &mut []));
        }
        let state = self.needed(state)?;
        ops::in_place(parameter, |p| ops::in_place(state, |state| work(p, state)))
    }

    fn needed<'a>(&self, state: Option<&'a Var>) -> Result<&'a Var> {
        state.ok_or_else(|| candle_core::Error::Msg(format!("{:?} needs its state", self.algorithm)))
    }

    fn update(&self, step: &Step) -> Update {
        let (learning_rate, l2, epsilon) = (step.learning_rate as f32, step.l2 as f32, self.epsilon() as f32);
        match self.algorithm {
            Algorithm::Sgd => Update::Sgd { learning_rate, l2 },
            Algorithm::Adam | Algorithm::Adamw => Update::Adam {
                beta1: self.beta1 as f32,
                beta2: self.beta2 as f32,
                complements: [(1.0 - self.beta1) as f32, (1.0 - self.beta2) as f32],
                l2,
                step_size: (step.learning_rate / (1.0 - self.beta1.powf(step.number as f64))) as f32,
                second_moment_correction: (1.0 - self.beta2.powf(step.number as f64)) as f32,
                epsilon,
                decay: (1.0 - step.learning_rate * self.weight_decay) as f32,
            },
            Algorithm::Adagrad => Update::Adagrad { learning_rate, epsilon, l2 },
        }
    }
}

/// Rows and values per row of a parameter.
fn row_shape(parameter: &Tensor) -> Result<(usize, usize)> {
    match parameter.dims() {
        [] => bail!("a parameter needs at least one dimension"),
        [rows, rest @ ..] => Ok((*rows, rest.iter().product())),
    }
}

/// What changes from one update to the next.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// Counts from 1; Adam's bias correction depends on it.
    pub number: u64,
    /// Step size now, after any schedule.
    pub learning_rate: f64,
    /// `l2 * p` is added to the gradient: the gradient of `l2 / 2 * ||p||^2`, as FuxiCTR defines it.
    pub l2: f64,
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
            let step = Step { number: i as u64 + 1, learning_rate: config.learning_rate, l2 };
            if plain {
                config.step_plain(&p, &grad, state.as_ref(), &rows, &step)?;
            } else {
                config.step(&p, &grad, state.as_ref(), &rows, &step)?;
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
    fn rows_that_are_not_there_or_named_twice_are_refused() {
        let config = OptimizerConfig::new(Algorithm::Sgd, 0.1);
        for (rows, says) in
            [(vec![0, 2], "row 2 is out of range"), (vec![1, 1], "1 and 1 to update are not"), (vec![1, 0], "1 and 0")]
        {
            let message = run(config, 0.0, Rows::Active(rows.into()), false).unwrap_err().to_string();
            assert!(message.contains(says), "{message}");
        }
    }

    /// Rows 2 and 0 of four are looked up, the latter twice: they move as the dense rule moves them, the others stay.
    #[test]
    fn looked_up_rows_move_as_by_the_dense_rule() -> Result<()> {
        let device = Device::Cpu;
        for algorithm in [Algorithm::Sgd, Algorithm::Adam, Algorithm::Adamw, Algorithm::Adagrad] {
            let config = OptimizerConfig::new(algorithm, 0.1);
            let start = Tensor::new(&[[1.0f32, -2.0], [9.0, 9.0], [0.5, 3.0], [7.0, 7.0]], &device)?;
            let all = run(config, 0.01, Rows::All, false)?;
            for plain in [false, true] {
                let p = Var::from_tensor(&start)?;
                let state = config.new_state(&p)?;
                for (i, [a, b, c, d]) in GRADS.into_iter().enumerate() {
                    let mut gradients = RowGradients::default();
                    let halves = Tensor::new(&[[c, d], [a / 2.0, b / 2.0]], &device)?;
                    gradients.push(Tensor::new(&[2u32, 0], &device)?, halves);
                    gradients.push(Tensor::new(&[0u32], &device)?, Tensor::new(&[[a / 2.0, b / 2.0]], &device)?);
                    let order = RowOrder::new(&gradients)?;
                    let step = Step { number: i as u64 + 1, learning_rate: config.learning_rate, l2: 0.01 };
                    if plain {
                        config.step_rows_plain(&p, &gradients, &order, state.as_ref(), &step)?;
                    } else {
                        config.step_rows(&p, &gradients, &order, state.as_ref(), &step)?;
                    }
                }
                let p = p.flatten_all()?.to_vec1::<f32>()?;
                assert_close(&p, &[all[0], all[1], 9.0, 9.0, all[2], all[3], 7.0, 7.0]);
            }
        }
        Ok(())
    }

    /// Enough look-ups for pieces, at known widths and others. Where every row is looked up, and by the rule for all rows also
    /// where only half of 1,994 are, what moves is what the dense rule moves, and it moves alike.
    #[test]
    fn many_looked_up_rows_move_as_by_the_dense_rule() -> Result<()> {
        let rules = [(OptimizerConfig::step_rows as StepOfTable, 997), (OptimizerConfig::step_all_rows, 1_994)];
        for algorithm in [Algorithm::Sgd, Algorithm::Adam, Algorithm::Adamw, Algorithm::Adagrad] {
            for (dim, (rule, rows)) in [1, 3, 8, 16, 32].into_iter().flat_map(|dim| rules.map(|rule| (dim, rule))) {
                let config = OptimizerConfig::new(algorithm, 0.1);
                let start =
                    (Tensor::arange(0f32, (rows * dim) as f32, &Device::Cpu)? * 0.1)?.sin()?.reshape((rows, dim))?;
                let (table, dense) = (Var::from_tensor(&start)?, Var::from_tensor(&start)?);
                let (state, dense_state) = (config.new_state(&table)?, config.new_state(&dense)?);
                for number in 1..=2 {
                    // Of the first 997 rows every one is looked up.
                    let gradients = crate::row_gradients::tests::example(997, dim)?;
                    let order = RowOrder::new(&gradients)?;
                    let step = Step { number, learning_rate: 0.1, l2: 0.01 };
                    rule(&config, &table, &gradients, &order, state.as_ref(), &step)?;
                    let grad = gradients.to_dense(&order, rows)?;
                    config.step(&dense, &grad, dense_state.as_ref(), &Rows::All, &step)?;
                }
                let (table, start) = (table.to_vec2::<f32>()?, start.to_vec2::<f32>()?);
                assert_eq!(table, dense.to_vec2::<f32>()?, "{algorithm:?} {dim} {rows}");
                let moved = |row: usize| table[row] != start[row];
                assert!((rows - 997..rows).all(moved), "{algorithm:?} {dim} {rows}");
            }
        }
        Ok(())
    }

    type StepOfTable = fn(&OptimizerConfig, &Var, &RowGradients, &RowOrder, Option<&Var>, &Step) -> Result<()>;
}

//! The users' copies of the cloud model.

use crate::prepared::{PreparedChunk, StepInputs};
use crate::{FineTuner, Method};
use candle_core::{Result, Tensor, Var, backprop::GradStore};
use ctr_nn::{
    DirectGradients, Group, Kind, Leaves, Rows, Step, TableLookUps, gather_rows_as_variable, repeat_as_variable,
};
use std::{borrow::Cow, collections::BTreeMap, ops::Range, sync::Arc};

/// The users' copies of the cloud model.
pub(crate) struct Replicas {
    pub leaves: Leaves,
    trained: Vec<Trained>,
    /// Gradients that layers compute themselves.
    direct: DirectGradients,
    /// Gradients of tables, if these take plain descent and are trained.
    lookups: Option<TableLookUps>,
    count: usize,
}

/// A parameter that moves.
struct Trained {
    name: String,
    group: Group,
    leaf: Var,
    state: Option<Var>,
    /// The cloud's values, if L2-SP pulls toward them.
    anchor: Option<Tensor>,
    /// Rows of the leaf (slices along its first dimension) that belong to one replica.
    rows_per_replica: usize,
}

impl Replicas {
    /// Copies for the chunk's users. On a chunk the rows that its users touch are gathered once.
    pub fn new(tuner: &FineTuner, chunk: &PreparedChunk, method: &Method) -> Result<Self> {
        let scope = method.scope(tuner.config);
        let row_ids = chunk.global_rows(tuner.device)?;
        let count = chunk.users.len();
        let optimizer = &tuner.config.optimizer;
        let descends = tuner.descends(method);
        let mut leaves = Leaves::default();
        let mut trained = Vec::new();
        for spec in tuner.cloud.specs() {
            let cloud = tuner.cloud.get(&spec.name)?.as_detached_tensor();
            let (leaf, rows_per_replica) = match spec.kind {
                Kind::Table => (gather_rows_as_variable(&cloud, &row_ids)?, chunk.rows_per_replica()),
                Kind::Dense | Kind::Buffer => (repeat_as_variable(&cloud, count)?, 1),
            };
            if spec.kind == Kind::Buffer || !scope.includes(spec.group) || (spec.kind == Kind::Table && descends) {
                leaves.insert(&spec.name, leaf.as_detached_tensor());
                continue;
            }
            leaves.insert(&spec.name, leaf.as_tensor().clone());
            let state = optimizer.new_state(&leaf)?;
            let anchor = if method.l2_sp { Some(leaf.as_detached_tensor().copy()?) } else { None };
            trained.push(Trained { name: spec.name.clone(), group: spec.group, leaf, state, anchor, rows_per_replica });
        }
        let direct =
            if descends { DirectGradients::descending(optimizer.learning_rate) } else { DirectGradients::default() };
        let mut lookups = None;
        // Without the tables nothing below a stack has a gradient, so the stack would not be a node of the graph.
        if scope.includes(Group::Embedding) {
            leaves.collect_gradients(direct.clone());
            if descends {
                let collecting = TableLookUps::new(tuner.device)?;
                leaves.collect_lookups(collecting.clone());
                lookups = Some(collecting);
            }
        }
        Ok(Self { leaves, trained, direct, lookups, count })
    }

    /// The leaves that a step reads.
    pub fn leaves_of(&self, inputs: &StepInputs) -> Result<Cow<'_, Leaves>> {
        if inputs.users == self.count {
            Ok(Cow::Borrowed(&self.leaves))
        } else {
            self.leaves.replicas(0..inputs.users, self.count).map(Cow::Owned)
        }
    }

    /// Those of some users for scoring.
    pub fn tuned_of(&self, users: Range<usize>) -> Result<Leaves> {
        if users.len() == self.count { Ok(self.tuned()) } else { self.tuned().replicas(users, self.count) }
    }

    /// The leaves without anyone who collects gradients, for scoring.
    fn tuned(&self) -> Leaves {
        let mut leaves = Leaves::default();
        self.leaves.iter().for_each(|(name, value)| leaves.insert(name, value.detach()));
        leaves
    }

    /// Whether the output bias is all that was trained.
    pub fn only_bias_moved(&self) -> bool {
        self.lookups.is_none() && matches!(&self.trained[..], [only] if only.group == Group::OutputBias)
    }

    /// How far each replica's output bias moved.
    pub fn bias_shifts(&self, tuner: &FineTuner) -> Result<Vec<f32>> {
        let cloud = tuner.cloud.get("bias")?.as_detached_tensor();
        self.leaves.get("bias")?.broadcast_sub(&cloud)?.flatten_all()?.to_vec1()
    }

    /// Updates every replica that had samples in this step.
    pub fn step(&self, tuner: &FineTuner, mut grads: GradStore, number: u64, inputs: &StepInputs) -> Result<()> {
        if let Some(lookups) = &self.lookups {
            let mut order = None;
            for (name, gradients) in lookups.take(&mut grads) {
                gradients.descend(self.leaves.get(&name)?, tuner.config.optimizer.learning_rate, &mut order)?;
            }
        }
        let mut direct = self.direct.take();
        let mut rows_by_width: BTreeMap<usize, Rows> = BTreeMap::new();
        for parameter in &self.trained {
            let grad = match (grads.remove(&parameter.leaf), direct.remove(&parameter.name)) {
                (Some(of_graph), Some(of_layers)) => (of_graph + of_layers)?,
                (Some(grad), None) | (None, Some(grad)) => grad,
                (None, None) => continue,
            };
            let width = parameter.rows_per_replica;
            let rows = rows_by_width.entry(width).or_insert_with(|| {
                if inputs.active.len() == self.count {
                    Rows::All
                } else {
                    let rows = inputs.active.iter().flat_map(|user| user * width..(user + 1) * width);
                    Rows::Active(rows.map(|row| row as u32).collect::<Arc<[u32]>>())
                }
            });
            let grad = match &parameter.anchor {
                Some(anchor) => (grad + ((parameter.leaf.as_tensor() - anchor)? * tuner.config.l2_sp)?)?.detach(),
                None => grad,
            };
            let learning_rate = tuner.config.optimizer.learning_rate;
            let step = Step { number, learning_rate, l2: 0.0 };
            tuner.config.optimizer.step(&parameter.leaf, &grad, parameter.state.as_ref(), rows, &step)?;
        }
        Ok(())
    }
}

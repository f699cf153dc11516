//! What a user's samples are trained toward.

use crate::Corrected;

/// One user's corrected labels in the form that training reads.
pub(crate) struct Targets {
    targets: Vec<f32>,
    weights: Vec<f32>,
    /// Added to the logits in training.
    pub offset: f32,
}

impl Targets {
    pub fn new(corrected: Corrected) -> Self {
        let to_f32 = |values: Vec<f64>| values.into_iter().map(|value| value as f32).collect::<Vec<f32>>();
        let weights = corrected.weights.map_or_else(|| vec![1.0; corrected.targets.len()], to_f32);
        Self { weights, offset: corrected.training_offset as f32, targets: to_f32(corrected.targets) }
    }
}

/// Targets and weights `[users, batch_len]` of one step. A user's weights average over its own samples; padding has
/// weight 0, so a user without samples left has no gradient.
pub(crate) fn loss_inputs(positions: &[&[u32]], targets: &[Targets], batch_len: usize) -> (Vec<f32>, Vec<f32>) {
    let mut labels = Vec::with_capacity(positions.len() * batch_len);
    let mut weights = Vec::with_capacity(positions.len() * batch_len);
    for (user, (positions, targets)) in positions.iter().zip(targets).enumerate() {
        let share = 1.0 / positions.len().max(1) as f32;
        labels.extend(positions.iter().map(|&p| targets.targets[p as usize]));
        weights.extend(positions.iter().map(|&p| share * targets.weights[p as usize]));
        labels.resize((user + 1) * batch_len, 0.0);
        weights.resize((user + 1) * batch_len, 0.0);
    }
    (labels, weights)
}

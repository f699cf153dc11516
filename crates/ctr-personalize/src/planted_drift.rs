//! The planted-drift protocol: the local set resampled to a target CTR, the samples to rank untouched.

use crate::task::{Exclusion, Tasks, UserTask, label_rate};
use ctr_data::Dataset;
use ctr_nn::{SeededRng, seeded_rng};
use rand::{Rng, seq::SliceRandom};
use serde::{Deserialize, Serialize};

/// Which drift is planted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PlantedDrift {
    /// Each user is assigned one of these CTRs by seed, so that one pass gives the whole curve.
    pub target_ctrs: Vec<f64>,
}

impl Default for PlantedDrift {
    fn default() -> Self {
        Self { target_ctrs: vec![0.1, 0.2, 0.3, 0.8, 0.9, 0.95] }
    }
}

impl PlantedDrift {
    /// Says what is wrong with the settings, if anything is.
    ///
    /// # Errors
    /// A message that names the key, the value and the admissible range.
    pub fn validate(&self) -> Result<(), String> {
        if self.target_ctrs.is_empty() {
            return Err("target_ctrs is empty; give at least one CTR in [0, 1]".into());
        }
        match self.target_ctrs.iter().find(|ctr| !(0.0..=1.0).contains(*ctr)) {
            Some(ctr) => Err(format!("target_ctrs holds {ctr}; each must be in [0, 1]")),
            None => Ok(()),
        }
    }
}

/// Resamples the local set of each user of `natural` to its assigned target CTR, as near as whole samples allow.
///
/// The number of samples stays. Within each class every sample is drawn equally often, give or take one, so the
/// samples of a class keep their distribution: the planted drift is a pure label shift. Users with one class locally
/// cannot be resampled and are kept out.
pub fn planted_drift(dataset: &Dataset, natural: &Tasks, drift: &PlantedDrift, seed: u64) -> Tasks {
    let mut tasks = Tasks { users: Vec::new(), excluded: natural.excluded.clone() };
    for task in &natural.users {
        let (positives, negatives): (Vec<u32>, Vec<u32>) =
            task.local.iter().partition(|&&i| dataset.samples.label[i as usize] == 1);
        if positives.is_empty() || negatives.is_empty() {
            tasks.excluded.push((task.user, Exclusion::OneClassLocally));
            continue;
        }
        let mut rng = seeded_rng(seed, "planted drift", u64::from(task.user));
        let target_ctr = drift.target_ctrs[rng.random_range(0..drift.target_ctrs.len())];
        let count = task.local.len();
        let positive_count = (target_ctr * count as f64).round() as usize;
        let mut local = draw(&positives, positive_count, &mut rng);
        local.extend(draw(&negatives, count - positive_count, &mut rng));
        local.sort_unstable();
        let local_ctr = label_rate(dataset, &local);
        tasks.users.push(UserTask {
            user: task.user,
            local,
            judged: task.judged.clone(),
            local_ctr,
            target_ctr: Some(target_ctr),
        });
    }
    tasks.excluded.sort_unstable();
    tasks
}

/// `count` draws in which every sample comes equally often, give or take one.
fn draw(samples: &[u32], count: usize, rng: &mut SeededRng) -> Vec<u32> {
    let mut drawn = Vec::with_capacity(count);
    let mut deck = samples.to_vec();
    while drawn.len() < count {
        deck.shuffle(rng);
        let wanted = (count - drawn.len()).min(deck.len());
        drawn.extend_from_slice(&deck[..wanted]);
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_balanced() {
        let mut rng = seeded_rng(3, "test", 0);
        let drawn = draw(&[4, 5, 6], 8, &mut rng);
        for sample in [4, 5, 6] {
            let times = drawn.iter().filter(|s| **s == sample).count();
            assert!((2..=3).contains(&times), "{drawn:?}");
        }
        assert_eq!(drawn.len(), 8);
    }
}

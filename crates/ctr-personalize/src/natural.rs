//! The natural protocol: the local set as observed.

use crate::task::{Exclusion, Tasks, UserTask, label_rate};
use ctr_data::{Dataset, Split};

/// Every user's training samples as its local set, and its samples of `judged_part` to rank; users without enough of
/// either are kept out.
pub fn natural(dataset: &Dataset, min_samples: usize, judged_part: Split) -> Tasks {
    let mut tasks = Tasks::default();
    for user in 0..dataset.user_keys.len() as u32 {
        let part = |split| {
            let of_user = dataset.samples_of(user);
            of_user.filter(|&i| dataset.samples.split[i] == split).map(|i| i as u32).collect::<Vec<u32>>()
        };
        let (local, judged) = (part(Split::Train), part(judged_part));
        let judged_ctr = label_rate(dataset, &judged);
        if local.len() < min_samples.max(1) {
            tasks.excluded.push((user, Exclusion::FewLocalSamples));
        } else if judged_ctr == 0.0 || judged_ctr == 1.0 {
            tasks.excluded.push((user, Exclusion::OneClassJudged));
        } else {
            let local_ctr = label_rate(dataset, &local);
            tasks.users.push(UserTask { user, local, judged, local_ctr, target_ctr: None });
        }
    }
    tasks
}

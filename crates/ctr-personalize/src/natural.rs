//! The natural protocol: the local set as observed.

use crate::task::{Exclusion, Tasks, UserTask, label_rate};
use ctr_data::{Dataset, Split};

/// Every user's training samples as its local set, and its test samples; users without enough of either are kept out.
pub fn natural(dataset: &Dataset, min_samples: usize) -> Tasks {
    let mut tasks = Tasks::default();
    for user in 0..dataset.user_keys.len() as u32 {
        let part = |split| {
            let of_user = dataset.samples_of(user);
            of_user.filter(|&i| dataset.samples.split[i] == split).map(|i| i as u32).collect::<Vec<u32>>()
        };
        let (local, test) = (part(Split::Train), part(Split::Test));
        let test_ctr = label_rate(dataset, &test);
        if local.len() < min_samples.max(1) {
            tasks.excluded.push((user, Exclusion::FewLocalSamples));
        } else if test_ctr == 0.0 || test_ctr == 1.0 {
            tasks.excluded.push((user, Exclusion::OneClassInTest));
        } else {
            let local_ctr = label_rate(dataset, &local);
            tasks.users.push(UserTask { user, local, test, local_ctr, target_ctr: None });
        }
    }
    tasks
}

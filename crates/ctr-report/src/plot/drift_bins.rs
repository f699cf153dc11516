//! Mean change of AUC by CTR drift.

use std::collections::BTreeMap;

use ctr_metrics::{mean, sample_standard_deviation};

/// Width of a bin of drift.
pub(crate) const BIN_WIDTH: f64 = 0.1;
/// Fewer users make no bin.
pub(crate) const FEWEST_USERS: usize = 10;

/// One user's change under one seed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct UserChange {
    pub(crate) user: u32,
    pub(crate) drift: f64,
    pub(crate) change: f64,
    /// The CTR that was planted, if one was: its users are one bin, however whole samples round their drift.
    pub(crate) target_ctr: Option<f64>,
}

/// The users of one bin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct DriftBin {
    /// Mean drift of its users.
    pub(crate) drift: f64,
    /// Mean change over users.
    pub(crate) mean: f64,
    /// Half the width of the normal 95 % interval of that mean over users.
    pub(crate) half_width: f64,
}

/// Bins in order of drift. A user's seeds within a bin are averaged first: they are no independent observations.
pub(crate) fn drift_bins(changes: &[UserChange]) -> Vec<DriftBin> {
    let mut bins: BTreeMap<i64, BTreeMap<u32, Vec<UserChange>>> = BTreeMap::new();
    for change in changes {
        let bin = match change.target_ctr {
            Some(target) => (target * 1e9).round() as i64,
            None => (change.drift / BIN_WIDTH).round() as i64,
        };
        bins.entry(bin).or_default().entry(change.user).or_default().push(*change);
    }
    bins.into_values()
        .filter(|users| users.len() >= FEWEST_USERS)
        .filter_map(|users| {
            let per_user = |of: fn(&UserChange) -> f64| -> Vec<f64> {
                users.values().filter_map(|seeds| mean(&seeds.iter().map(of).collect::<Vec<f64>>())).collect()
            };
            let changes = per_user(|change| change.change);
            Some(DriftBin {
                drift: mean(&per_user(|change| change.drift))?,
                mean: mean(&changes)?,
                half_width: 1.96 * sample_standard_deviation(&changes)? / (changes.len() as f64).sqrt(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(user: u32, drift: f64, change: f64) -> UserChange {
        UserChange { user, drift, change, target_ctr: None }
    }

    #[test]
    fn the_users_of_a_planted_target_are_one_bin() {
        // -0.148 and -0.152 lie on either side of an edge.
        let planted = |user: u32, drift| UserChange { target_ctr: Some(0.3), ..change(user, drift, 1.0) };
        let changes: Vec<UserChange> =
            (0..20).map(|user| planted(user, if user % 2 == 0 { -0.148 } else { -0.152 })).collect();
        let bins = drift_bins(&changes);
        assert_eq!(bins.len(), 1, "{bins:?}");
        assert!((bins[0].drift + 0.15).abs() < 1e-12);
    }

    /// ```python
    /// import statistics
    /// 1.96 * statistics.stdev(range(10)) / 10 ** 0.5
    /// ```
    #[test]
    fn a_bin_is_the_mean_of_its_users_whatever_their_number_of_seeds() {
        let mut changes: Vec<UserChange> = (0..10).map(|user| change(user, 0.01, f64::from(user))).collect();
        changes.push(change(9, 0.01, 9.0));
        changes.push(change(3, 0.3, 5.0));
        let bins = drift_bins(&changes);
        assert_eq!(bins.len(), 1, "one user makes no bin: {bins:?}");
        assert!((bins[0].mean - 4.5).abs() < 1e-12);
        assert!((bins[0].drift - 0.01).abs() < 1e-12);
        assert!((bins[0].half_width - 1.8765571312024227).abs() < 1e-12, "{bins:?}");
    }
}

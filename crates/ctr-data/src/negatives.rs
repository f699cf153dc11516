//! Negatives for logs that hold positives only.

use std::fmt;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::DataError;
use crate::config::invalid;
use crate::log::{Codes, Log, runs};

/// How negatives are drawn where the log has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NegativeSampling {
    /// Negatives after every positive, at its time.
    #[serde(default = "one")]
    pub per_positive: u32,
    /// From which distribution over the log's items.
    #[serde(default)]
    pub by: NegativeDistribution,
    /// Seed of the draws.
    #[serde(default)]
    pub seed: u64,
}

fn one() -> u32 {
    1
}

/// A distribution over the items of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NegativeDistribution {
    /// Every item alike.
    #[default]
    Uniform,
    /// In proportion to an item's rows in the log.
    Popularity,
}

impl fmt::Display for NegativeSampling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = match self.by {
            NegativeDistribution::Uniform => "uniformly",
            NegativeDistribution::Popularity => "by popularity",
        };
        let Self { per_positive, seed, .. } = self;
        write!(f, "{per_positive} per positive, drawn {by} from the items that the user has no row of, seed {seed}")
    }
}

/// Draws for one negative that may hit items of the user before the user is said to have too many.
const MOST_DRAWS: u32 = 10_000;

/// Adds `rule.per_positive` rows after every positive one of `log`: user, time and fields of the row are the positive's, the
/// item is one that the user has no row of, and none twice at one time. Each user draws from a stream of its own.
///
/// # Errors
/// [`DataError::InvalidConfig`] if a user has nearly all items.
pub(crate) fn add(log: &mut Log, rule: &NegativeSampling) -> Result<(), DataError> {
    let items_seen = {
        let mut items = log.item.clone();
        items.sort_unstable();
        items.dedup();
        items
    };
    // Row that each new row copies, and its item where that is another one.
    let mut copied: Vec<u32> = Vec::with_capacity(log.rows() * (1 + rule.per_positive as usize));
    let mut item = Vec::with_capacity(copied.capacity());
    let mut label = Vec::with_capacity(copied.capacity());
    for user in log.user_ranges() {
        let mut random = ChaCha8Rng::seed_from_u64(rule.seed);
        random.set_stream(u64::from(log.user[user.start]));
        let mut own = log.item[user.clone()].to_vec();
        own.sort_unstable();
        for tie in runs(&log.time, user) {
            let mut drawn = Vec::new();
            for row in tie {
                copied.push(row as u32);
                item.push(log.item[row]);
                label.push(log.label[row]);
                for _ in 0..if log.label[row] == 1 { rule.per_positive } else { 0 } {
                    let mut draw = || match rule.by {
                        NegativeDistribution::Uniform => items_seen[random.random_range(0..items_seen.len())],
                        NegativeDistribution::Popularity => log.item[random.random_range(0..log.item.len())],
                    };
                    let admissible = |item: &u32| own.binary_search(item).is_err() && !drawn.contains(item);
                    let negative = (0..MOST_DRAWS).map(|_| draw()).find(admissible).ok_or_else(|| {
                        let user = &log.user_keys[log.user[row] as usize];
                        let remedy =
                            format!("user '{user}' has rows of nearly every item: lower it, or leave negatives out");
                        invalid("negatives.per_positive", rule.per_positive, &remedy)
                    })?;
                    drawn.push(negative);
                    copied.push(row as u32);
                    item.push(negative);
                    label.push(0);
                }
            }
        }
    }
    log.user = pick(&log.user, &copied);
    log.time = pick(&log.time, &copied);
    if !log.published.is_empty() {
        log.published = pick(&log.published, &copied);
    }
    (log.item, log.label) = (item, label);
    log.row_histories = copied.iter().filter_map(|&row| log.row_histories.get(row as usize).cloned()).collect();
    for column in &mut log.columns {
        match &mut column.codes {
            Codes::Row(codes) => *codes = pick(codes, &copied),
            Codes::Recent(recent) => recent.ranges = pick(&recent.ranges, &copied),
            Codes::User(_) | Codes::Item(_) => {}
        }
    }
    Ok(())
}

fn pick<T: Copy>(values: &[T], rows: &[u32]) -> Vec<T> {
    rows.iter().map(|&row| values[row as usize]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Column;
    use proptest::prelude::*;

    fn log(items_of_users: &[Vec<u32>]) -> Log {
        let mut log = Log::default();
        for (user, items) in items_of_users.iter().enumerate() {
            for (place, &item) in items.iter().enumerate() {
                log.user.push(user as u32);
                log.item.push(item);
                log.time.push(place as i64 / 2);
                log.label.push(1);
            }
            log.user_keys.push(user.to_string());
        }
        let codes = Codes::Row((0..log.rows() as u32).collect());
        log.columns.push(Column { name: "context".into(), codes, dictionary: Vec::new(), is_list: false });
        log
    }

    proptest! {
        /// Every positive stays, in order, followed by its negatives: same user, time and context, an item that the user has
        /// no row of, none twice at one time.
        #[test]
        fn positives_are_followed_by_items_the_user_never_had(
            users in prop::collection::vec(prop::collection::vec(0u32..12, 1..8), 2..6),
            per_positive in 1u32..3,
            popular in any::<bool>(),
        ) {
            let before = log(&users);
            let by = if popular { NegativeDistribution::Popularity } else { NegativeDistribution::Uniform };
            let rule = NegativeSampling { per_positive, by, seed: 7 };
            let mut after = before.clone();
            // Where a user has too many of the few items, that is what the error says.
            if let Err(error) = add(&mut after, &rule) {
                prop_assert!(error.to_string().contains("has rows of nearly every item"));
                return Ok(());
            }
            let step = 1 + per_positive as usize;
            prop_assert_eq!(after.rows(), before.rows() * step);
            let Codes::Row(context) = &after.columns[0].codes else { unreachable!() };
            for row in 0..after.rows() {
                let source = row / step;
                prop_assert_eq!(context[row], source as u32);
                prop_assert_eq!((after.user[row], after.time[row]), (before.user[source], before.time[source]));
                if row % step == 0 {
                    prop_assert_eq!((after.item[row], after.label[row]), (before.item[source], 1));
                } else {
                    prop_assert_eq!(after.label[row], 0);
                    prop_assert!(!users[after.user[row] as usize].contains(&after.item[row]));
                    let same_time = |other: &usize| after.user[*other] == after.user[row] && after.time[*other] == after.time[row];
                    let twins = (0..row).filter(same_time).filter(|&other| after.item[other] == after.item[row]).count();
                    prop_assert_eq!(twins, 0);
                }
            }
            let mut again = before.clone();
            add(&mut again, &rule).unwrap();
            prop_assert_eq!(again, after);
        }
    }
}

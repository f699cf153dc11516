//! Named splits.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::log::Log;
use crate::{DatasetConfig, Split, SplitRule};

/// Part of every row of `log`.
pub(crate) fn assign(config: &DatasetConfig, log: &Log) -> Vec<Split> {
    match config.split_rule() {
        SplitRule::UserTemporal => by_user(config, log, None),
        SplitRule::UserRandom => by_user(config, log, Some(config.split_seed)),
        SplitRule::GlobalTemporal => by_time(config, &log.time),
        SplitRule::UserLast => last_of_users(log),
        SplitRule::Published => match log.test_from {
            Some(test_from) => published_by_time(config, &log.time, test_from),
            None => log.published.clone(),
        },
    }
}

/// Share of `rows`, rounded down; the small term keeps 0.1 * 30 at 3.
fn share(fraction: f64, rows: usize) -> usize {
    (fraction * rows as f64 + 1e-9).floor() as usize
}

/// Parts of `rows` rows in time order. Rounding down gives the first part the odd row, which is
/// what the published MovieLens-1M rates (first 80 % 0.588, last 20 % 0.522) ask for.
fn parts(config: &DatasetConfig, rows: usize) -> impl Iterator<Item = Split> {
    let test = share(config.test_fraction, rows);
    let validation = if test == 0 { 0 } else { share(config.validation_fraction, rows) };
    (0..rows).map(move |row| {
        if row >= rows - test {
            Split::Test
        } else if row >= rows - test - validation {
            Split::Validation
        } else {
            Split::Train
        }
    })
}

fn by_user(config: &DatasetConfig, log: &Log, shuffle_seed: Option<u64>) -> Vec<Split> {
    let mut splits = Vec::with_capacity(log.rows());
    for range in log.user_ranges() {
        let start = splits.len();
        splits.extend(parts(config, range.len()));
        if let Some(seed) = shuffle_seed {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            random.set_stream(u64::from(log.user[range.start]));
            splits[start..].shuffle(&mut random);
        }
    }
    splits
}

/// Users with fewer than three positives keep all rows in training.
fn last_of_users(log: &Log) -> Vec<Split> {
    let mut splits = vec![Split::Train; log.rows()];
    for user in log.user_ranges() {
        let mut positives = user.clone().rev().filter(|&row| log.label[row] == 1);
        if let (Some(last), Some(before), Some(_)) = (positives.next(), positives.next(), positives.next()) {
            splits[before..last].fill(Split::Validation);
            splits[last..user.end].fill(Split::Test);
        }
    }
    splits
}

/// Test from a given time on; of the rest the last `validation_fraction` is validation, ties kept together.
fn published_by_time(config: &DatasetConfig, time: &[i64], test_from: i64) -> Vec<Split> {
    let mut earlier: Vec<i64> = time.iter().copied().filter(|&time| time < test_from).collect();
    earlier.sort_unstable();
    let validation = share(config.validation_fraction, earlier.len());
    let validation_from = earlier.get(earlier.len() - validation).copied().unwrap_or(test_from);
    let part = |&time: &i64| match time {
        time if time >= test_from => Split::Test,
        time if time >= validation_from => Split::Validation,
        _ => Split::Train,
    };
    time.iter().map(part).collect()
}

/// Rows of one instant stay together: the cut moves back to the start of the tie.
fn by_time(config: &DatasetConfig, time: &[i64]) -> Vec<Split> {
    let mut sorted = time.to_vec();
    sorted.sort_unstable();
    let test = share(config.test_fraction, time.len());
    let validation = share(config.validation_fraction, time.len());
    let first = |held_out: usize| sorted.get(time.len() - held_out).copied().unwrap_or(i64::MAX);
    let (first_test, first_validation) = (first(test), first(test + validation));
    let part = |&time: &i64| {
        if time >= first_test {
            Split::Test
        } else if time >= first_validation {
            Split::Validation
        } else {
            Split::Train
        }
    };
    time.iter().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_of(rows_of_users: &[usize]) -> Log {
        let mut log = Log::default();
        for (user, &rows) in rows_of_users.iter().enumerate() {
            log.user.extend(std::iter::repeat_n(user as u32, rows));
            log.time.extend(0..rows as i64);
            log.label.extend(std::iter::repeat_n(0, rows));
        }
        log
    }

    fn count(splits: &[Split], split: Split) -> usize {
        splits.iter().filter(|other| **other == split).count()
    }

    #[test]
    fn the_odd_row_stays_in_training_and_a_user_without_test_rows_keeps_all() {
        let config = DatasetConfig::new("synthetic");
        // rows -> test = floor(rows / 5), validation = floor(rows / 10) where there is a test row
        for (rows, validation, test) in [(4, 0, 0), (5, 0, 1), (10, 1, 2), (19, 1, 3), (20, 2, 4), (30, 3, 6)] {
            let splits = assign(&config, &log_of(&[rows]));
            assert_eq!((count(&splits, Split::Validation), count(&splits, Split::Test)), (validation, test), "{rows}");
            assert!(splits.is_sorted());
        }
    }

    #[test]
    fn a_global_cut_never_parts_a_tie() {
        let mut config = DatasetConfig::new("synthetic");
        config.split = Some(SplitRule::GlobalTemporal);
        let splits = by_time(&config, &[9, 1, 2, 3, 4, 5, 6, 7, 9, 9]);
        assert_eq!(count(&splits, Split::Test), 3);
        assert_eq!(count(&splits, Split::Train), 7);
    }

    #[test]
    fn the_last_positive_and_what_follows_it_is_test() {
        let mut log = log_of(&[8, 4]);
        log.label = vec![1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0];
        let (train, validation, test) = (Split::Train, Split::Validation, Split::Test);
        let of_first = [train, train, train, train, validation, validation, test, test];
        assert_eq!(last_of_users(&log)[..8], of_first);
        assert_eq!(last_of_users(&log)[8..], [train; 4], "two positives only");
    }

    #[test]
    fn a_published_cut_in_time_tests_from_it_on() {
        let config = DatasetConfig::new("synthetic");
        let time = [9, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12];
        let splits = published_by_time(&config, &time, 11);
        assert_eq!(splits[10..], [Split::Test; 2]);
        // A tenth of the ten rows before it.
        assert_eq!(splits[9], Split::Validation);
        assert_eq!(count(&splits, Split::Train), 9);
    }

    #[test]
    fn a_random_split_depends_on_its_seed_only() {
        let mut config = DatasetConfig::new("synthetic");
        config.split = Some(SplitRule::UserRandom);
        let log = log_of(&[40, 40]);
        let first = assign(&config, &log);
        assert_eq!(first, assign(&config, &log));
        assert_ne!(first[..40], first[40..], "users draw from their own streams");
        assert_eq!(count(&first, Split::Test), 16);
        config.split_seed = 1;
        assert_ne!(first, assign(&config, &log));
    }
}

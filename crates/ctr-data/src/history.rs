//! Each sample's last positive items, strictly before it.

use crate::log::{Log, runs};
use crate::{NO_USER, Split, SplitRule};

/// Positive items of all users and each sample's window into them.
pub(crate) struct Histories {
    /// Each user's positive items, oldest first, as ids of the item field.
    pub items: Vec<u32>,
    /// When each of `items` was seen; for the split guard.
    pub times: Vec<i64>,
    /// Start and end in `items`, by sample.
    pub ranges: Vec<(u32, u32)>,
}

/// Collects histories of at most `length` items; `item_ids` maps an item to its id.
///
/// Samples that share a time do not see each other. What a user saw before the log is used only
/// for samples after the last of it. Under `user-random` only training positives enter, because
/// held-out labels would otherwise reach the inputs of training samples. Without users there are none. Where the source has a history of its own for each
/// sample, that is what is taken.
pub(crate) fn build(log: &Log, splits: &[Split], rule: SplitRule, length: usize, item_ids: &[u32]) -> Histories {
    if !log.row_histories.is_empty() {
        return of_rows(log, length, item_ids);
    }
    if log.user_keys == [NO_USER] {
        let ranges = vec![(0, 0); log.rows()];
        return Histories { items: Vec::new(), times: Vec::new(), ranges };
    }
    let mut histories = Histories { items: Vec::new(), times: Vec::new(), ranges: Vec::with_capacity(log.rows()) };
    for user in log.user_ranges() {
        let all = histories.items.len();
        let mut last_earlier_time = i64::MIN;
        if let Some(earlier) = log.earlier.get(log.user[user.start] as usize) {
            let skipped = earlier.items.len().saturating_sub(length);
            histories.items.extend(earlier.items[skipped..].iter().map(|&item| item_ids[item as usize]));
            histories.times.resize(histories.items.len(), earlier.last_time);
            last_earlier_time = earlier.last_time;
        }
        let of_log = histories.items.len();
        for tie in runs(&log.time, user) {
            let first = if last_earlier_time < log.time[tie.start] { all } else { of_log };
            let end = histories.items.len();
            let start = first.max(end.saturating_sub(length));
            histories.ranges.extend(std::iter::repeat_n((start as u32, end as u32), tie.len()));
            for row in tie {
                let visible = rule != SplitRule::UserRandom || splits[row] == Split::Train;
                if log.label[row] == 1 && visible {
                    histories.items.push(item_ids[log.item[row] as usize]);
                    histories.times.push(log.time[row]);
                }
            }
        }
    }
    histories
}

/// Each sample's own history, as the source has it. When its items were seen is not known: before the sample.
fn of_rows(log: &Log, length: usize, item_ids: &[u32]) -> Histories {
    let mut histories = Histories { items: Vec::new(), times: Vec::new(), ranges: Vec::with_capacity(log.rows()) };
    for history in &log.row_histories {
        let start = histories.items.len() as u32;
        let last = &history[history.len().saturating_sub(length)..];
        histories.items.extend(last.iter().map(|&item| item_ids[item as usize]));
        histories.ranges.push((start, histories.items.len() as u32));
    }
    histories.times = vec![i64::MIN; histories.items.len()];
    histories
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Earlier;

    fn windows(log: &Log, rule: SplitRule, splits: &[Split], length: usize) -> Vec<Vec<u32>> {
        let ids: Vec<u32> = (0..100).collect();
        let histories = build(log, splits, rule, length, &ids);
        let items = &histories.items;
        histories.ranges.iter().map(|&(start, end)| items[start as usize..end as usize].to_vec()).collect()
    }

    fn log() -> Log {
        Log {
            user: vec![0, 0, 0, 0, 0, 1],
            item: vec![10, 11, 12, 13, 14, 10],
            time: vec![1, 2, 2, 3, 4, 9],
            label: vec![1, 1, 1, 0, 1, 1],
            ..Log::default()
        }
    }

    #[test]
    fn only_strictly_earlier_positives_of_the_same_user_count() {
        let expected: [&[u32]; 6] = [&[], &[10], &[10], &[11, 12], &[11, 12], &[]];
        assert_eq!(windows(&log(), SplitRule::UserTemporal, &[Split::Train; 6], 2), expected);
        assert!(windows(&log(), SplitRule::UserTemporal, &[Split::Train; 6], 0).iter().all(Vec::is_empty));
    }

    #[test]
    fn what_was_seen_before_the_log_comes_first_and_only_after_its_own_time() {
        let mut log = log();
        let seen = Earlier { last_time: 2, items: vec![1, 2, 3] };
        log.earlier = vec![seen, Earlier::default()];
        let expected: [&[u32]; 6] = [&[], &[10], &[10], &[10, 11, 12], &[10, 11, 12], &[]];
        assert_eq!(windows(&log, SplitRule::UserTemporal, &[Split::Train; 6], 3), expected);
        log.earlier[0].last_time = 0;
        let expected: [&[u32]; 6] = [&[1, 2, 3], &[2, 3, 10], &[2, 3, 10], &[10, 11, 12], &[10, 11, 12], &[]];
        assert_eq!(windows(&log, SplitRule::UserTemporal, &[Split::Train; 6], 3), expected);
    }

    #[test]
    fn without_users_there_are_none() {
        let log = Log { user_keys: vec![NO_USER.to_owned()], user: vec![0; 6], ..log() };
        assert!(windows(&log, SplitRule::GlobalTemporal, &[Split::Train; 6], 2).iter().all(Vec::is_empty));
    }

    #[test]
    fn a_random_split_shows_training_positives_only() {
        let mut splits = [Split::Train; 6];
        splits[1] = Split::Test;
        let expected: [&[u32]; 6] = [&[], &[10], &[10], &[10, 12], &[10, 12], &[]];
        assert_eq!(windows(&log(), SplitRule::UserRandom, &splits, 5), expected);
    }
}

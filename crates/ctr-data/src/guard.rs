//! The split guard: runs whenever a dataset is encoded and refuses leaks; what the cache holds has passed it.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::history::Histories;
use crate::log::{Codes, Log, Recent, runs};
use crate::vocabulary::distinct;
use crate::{Check, DataError, DatasetConfig, Field, NO_USER, Split, SplitRule, ValueLists};

/// What the samples were encoded to.
pub(crate) struct Encoded<'a> {
    pub fields: &'a [Field],
    /// By position in `fields`.
    pub lists: &'a BTreeMap<usize, ValueLists>,
    /// `[rows, fields]`.
    pub ids: &'a [u32],
}

/// Runs all checks, each against the encoded data rather than against the code that made them.
///
/// # Errors
/// [`DataError::Guard`] names the first check that fails; [`DataError::NoClock`] is raised by the loader.
pub(crate) fn check(
    config: &DatasetConfig,
    log: &Log,
    splits: &[Split],
    encoded: &Encoded,
    histories: &Histories,
) -> Result<Vec<Check>, DataError> {
    let checks = [
        ("parts are disjoint and cover every row", covering(log, splits)),
        ("time order is kept", time_order(config.split_rule(), log, splits)),
        ("vocabulary comes from training only", vocabulary(config.min_count, splits, encoded)),
        ("histories end before their sample", history_order(log, histories)),
    ];
    let recent = [("what users did last ends before the sample", recent_order(log))];
    let run = |(name, result): (&str, Result<String, String>)| match result {
        Ok(detail) => Ok(Check { name: name.to_owned(), passed: true, detail }),
        Err(detail) => Err(DataError::Guard { dataset: config.name.clone(), check: name.to_owned(), detail }),
    };
    let has_recent = log.columns.iter().any(|column| matches!(column.codes, Codes::Recent(_)));
    checks.into_iter().chain(recent.into_iter().filter(|_| has_recent)).map(run).collect()
}

/// Every row has one part, and no impression (user, item, time) stands in two parts.
fn covering(log: &Log, splits: &[Split]) -> Result<String, String> {
    if splits.len() != log.rows() {
        return Err(format!("{} rows, but {} have a part", log.rows(), splits.len()));
    }
    if !log.published.is_empty() {
        return Ok(format!("{} rows; the parts are as published, impressions in two of them included", log.rows()));
    }
    if log.origin.time_unit == "none" || log.user_keys == [NO_USER] {
        return Ok(format!("{} rows; without users and times none is known to be another's impression", log.rows()));
    }
    for user in log.user_ranges() {
        for tie in runs(&log.time, user) {
            if let Some((twin, row)) = log.twins(tie).into_iter().find(|&(twin, row)| splits[twin] != splits[row]) {
                return Err(format!("rows {twin} and {row} are one impression in two parts"));
            }
        }
    }
    Ok(format!("{} rows", log.rows()))
}

fn time_order(rule: SplitRule, log: &Log, splits: &[Split]) -> Result<String, String> {
    match rule {
        SplitRule::UserRandom => Ok(format!("not promised by {rule}")),
        SplitRule::Published if log.test_from.is_none() => Ok(format!("not promised by {rule}")),
        SplitRule::GlobalTemporal | SplitRule::Published => {
            ordered(log, splits, 0..log.rows(), false)?;
            Ok("every training row precedes every validation row, and those every test row".to_owned())
        }
        SplitRule::UserTemporal | SplitRule::UserLast => {
            for user in log.user_ranges() {
                ordered(log, splits, user, true)?;
            }
            Ok("each user's training rows precede its validation rows, and those its test rows".to_owned())
        }
    }
}

/// The times of the parts within `rows` do not overlap; they may touch where `ties` is set.
fn ordered(log: &Log, splits: &[Split], rows: Range<usize>, ties: bool) -> Result<(), String> {
    let mut first = [i64::MAX; 3];
    let mut last = [i64::MIN; 3];
    for row in rows {
        let part = splits[row] as usize;
        first[part] = first[part].min(log.time[row]);
        last[part] = last[part].max(log.time[row]);
    }
    for (early, late) in [(0, 1), (1, 2), (0, 2)] {
        if last[early] > first[late] || (!ties && last[early] == first[late]) {
            let (early_name, late_name) = (Split::ALL[early].name(), Split::ALL[late].name());
            return Err(format!("{early_name} reaches {}, {late_name} starts at {}", last[early], first[late]));
        }
    }
    Ok(())
}

/// Every known id occurs in at least `min_count` training rows, and every id lies in its field.
fn vocabulary(min_count: u32, splits: &[Split], encoded: &Encoded) -> Result<String, String> {
    let Encoded { fields, lists, ids } = *encoded;
    let table_rows: u32 = fields.iter().map(|field| field.vocabulary_size).sum();
    let mut counts = vec![0u32; table_rows as usize];
    for (sample, split) in ids.chunks_exact(fields.len()).zip(splits) {
        for (at, (id, field)) in sample.iter().zip(fields).enumerate() {
            for id in distinct(lists.get(&at).map_or(std::slice::from_ref(id), |lists| lists.get(*id))) {
                if !(field.offset..field.offset + field.vocabulary_size).contains(&id) {
                    return Err(format!("id {id} does not belong to field '{}'", field.name));
                }
                counts[id as usize] += u32::from(*split == Split::Train);
            }
        }
    }
    for field in fields {
        for id in field.offset + 1..field.offset + field.vocabulary_size {
            if counts[id as usize] < min_count {
                let seen = counts[id as usize];
                return Err(format!("id {id} of field '{}' has {seen} training rows", field.name));
            }
        }
    }
    Ok(format!("{table_rows} ids, each seen at least {min_count} times in training"))
}

fn history_order(log: &Log, histories: &Histories) -> Result<String, String> {
    let mut longest = 0;
    for (row, &(start, end)) in histories.ranges.iter().enumerate() {
        longest = longest.max(end - start);
        let latest = histories.times[start as usize..end as usize].iter().max();
        if let Some(&latest) = latest
            && latest >= log.time[row]
        {
            return Err(format!("row {row} at {} sees an item of {latest}", log.time[row]));
        }
    }
    Ok(format!("longest {longest} items"))
}

fn recent_order(log: &Log) -> Result<String, String> {
    let mut longest = 0;
    for column in &log.columns {
        let Codes::Recent(Recent { times, ranges, .. }) = &column.codes else { continue };
        for (row, &(start, end)) in ranges.iter().enumerate() {
            longest = longest.max(end - start);
            let latest = times[start as usize..end as usize].iter().max();
            if let Some(&latest) = latest.filter(|latest| **latest >= log.time[row]) {
                return Err(format!("row {row} at {} has in '{}' one of {latest}", log.time[row], column.name));
            }
        }
    }
    Ok(format!("longest {longest} values"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Column;

    fn log() -> Log {
        Log { user: vec![0, 0, 0], item: vec![0, 1, 1], time: vec![1, 2, 2], label: vec![1, 0, 0], ..Log::default() }
    }

    const IN_ORDER: [Split; 3] = [Split::Train, Split::Validation, Split::Test];

    #[test]
    fn an_impression_in_two_parts_is_found() {
        assert!(covering(&log(), &IN_ORDER).unwrap_err().contains("rows 1 and 2"));
        assert!(covering(&log(), &[Split::Train, Split::Test, Split::Test]).is_ok());
        assert!(covering(&log(), &IN_ORDER[..2]).is_err());
    }

    #[test]
    fn a_later_training_row_is_found() {
        let backward = [Split::Test, Split::Train, Split::Train];
        assert!(time_order(SplitRule::UserTemporal, &log(), &backward).is_err());
        assert!(time_order(SplitRule::UserTemporal, &log(), &IN_ORDER).is_ok());
        assert!(time_order(SplitRule::GlobalTemporal, &log(), &IN_ORDER).is_err(), "a tie is parted");
        assert!(time_order(SplitRule::UserRandom, &log(), &backward).is_ok());
    }

    #[test]
    fn an_id_learned_from_test_is_found() {
        let fields = [Field { name: "item".to_owned(), offset: 0, vocabulary_size: 3 }];
        let check = |splits: &[Split], ids: &[u32]| {
            vocabulary(1, splits, &Encoded { fields: &fields, lists: &BTreeMap::new(), ids })
        };
        assert!(check(&IN_ORDER, &[1, 2, 2]).unwrap_err().contains("id 2"));
        assert!(check(&[Split::Train, Split::Train, Split::Test], &[1, 2, 2]).is_ok());
        assert!(check(&IN_ORDER, &[1, 0, 3]).unwrap_err().contains("does not belong"));
    }

    #[test]
    fn a_value_of_a_list_learned_from_test_is_found() {
        let fields = [Field { name: "genres".to_owned(), offset: 0, vocabulary_size: 3 }];
        let check = |lists: [&[u32]; 2]| {
            let lists = BTreeMap::from([(0, ValueLists::of(&lists.map(<[u32]>::to_vec)))]);
            vocabulary(1, &IN_ORDER, &Encoded { fields: &fields, lists: &lists, ids: &[0, 1, 1] })
        };
        assert!(check([&[1, 2], &[2]]).is_ok());
        assert!(check([&[1], &[2]]).unwrap_err().contains("id 2"));
        assert!(check([&[1, 2], &[3]]).unwrap_err().contains("does not belong"));
    }

    #[test]
    fn a_history_that_reaches_its_sample_is_found() {
        let seen = |time| Histories { items: vec![1], times: vec![time], ranges: vec![(0, 0), (0, 1), (0, 1)] };
        assert!(history_order(&log(), &seen(1)).is_ok());
        assert!(history_order(&log(), &seen(2)).is_err());
    }

    #[test]
    fn a_behavior_that_is_not_before_its_sample_is_found() {
        let with = |times: [i64; 2]| {
            let codes =
                Codes::Recent(Recent { values: vec![0, 0], times: times.into(), ranges: vec![(0, 0), (0, 1), (0, 2)] });
            let column =
                Column { name: "pages".to_owned(), codes, dictionary: vec!["page".to_owned()], is_list: false };
            Log { columns: vec![column], ..log() }
        };
        assert!(recent_order(&with([0, 1])).is_ok());
        assert!(recent_order(&with([1, 2])).unwrap_err().contains("row 2 at 2 has in 'pages' one of 2"));
    }
}

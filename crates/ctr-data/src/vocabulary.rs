//! Vocabularies of the training part.

use indexmap::IndexSet;

use crate::Split;
use crate::json_lines::LIST_SEPARATOR;
use crate::log::{Codes, Column, Log, Recent};

/// Local ids of one column; 0 is unknown.
pub(crate) struct Vocabulary {
    pub local: LocalIds,
    /// Number of ids, the unknown one included.
    pub size: u32,
}

/// What the codes of a column become.
pub(crate) enum LocalIds {
    /// One id by code.
    Single(Vec<u32>),
    /// The distinct ids of a list by code, in the order of the list.
    Lists(Vec<Vec<u32>>),
    /// Ids of which each row has a window.
    Windows { ids: Vec<u32>, ranges: Vec<(u32, u32)> },
}

/// Gives an id, in dictionary order, to every category that at least `min_count` training rows have.
pub(crate) fn build(log: &Log, splits: &[Split], column: &Column, min_count: u32) -> Vocabulary {
    if let Codes::Recent(recent) = &column.codes {
        return of_windows(column, splits, recent, min_count);
    }
    let mut rows_of_codes = vec![0u32; column.dictionary.len()];
    for (row, split) in splits.iter().enumerate() {
        if *split == Split::Train {
            rows_of_codes[log.code(column, row) as usize] += 1;
        }
    }
    if column.is_list {
        return of_lists(column, &rows_of_codes, min_count);
    }
    let (ids, size) = numbered(&rows_of_codes, min_count);
    Vocabulary { local: LocalIds::Single(ids), size }
}

/// Consecutive ids from 1 for those with enough rows, 0 for the others; and the number of ids.
fn numbered(rows: &[u32], min_count: u32) -> (Vec<u32>, u32) {
    let mut size = 1;
    let id = |&rows: &u32| {
        let known = u32::from(rows >= min_count);
        size += known;
        known * (size - 1)
    };
    (rows.iter().map(id).collect(), size)
}

fn of_lists(column: &Column, rows_of_codes: &[u32], min_count: u32) -> Vocabulary {
    let mut categories: IndexSet<&str> = column.dictionary.iter().flat_map(|list| entries(list)).collect();
    categories.sort_unstable();
    let category = |entry: &str| categories.get_index_of(entry).unwrap_or(0);
    let mut rows = vec![0u32; categories.len()];
    for (list, &rows_of_list) in column.dictionary.iter().zip(rows_of_codes) {
        entries(list).for_each(|entry| rows[category(entry)] += rows_of_list);
    }
    let (ids, size) = numbered(&rows, min_count);
    let lists = column.dictionary.iter().map(|list| {
        let distinct: IndexSet<u32> = entries(list).map(|entry| ids[category(entry)]).collect();
        distinct.into_iter().collect()
    });
    Vocabulary { local: LocalIds::Lists(lists.collect()), size }
}
fn of_windows(column: &Column, splits: &[Split], recent: &Recent, min_count: u32) -> Vocabulary {
    let Recent { values, ranges, .. } = recent;
    let mut rows = vec![0u32; column.dictionary.len()];
    for ((start, end), _) in ranges.iter().zip(splits).filter(|(_, split)| **split == Split::Train) {
        let window = &values[*start as usize..*end as usize];
        distinct(window).for_each(|value| rows[value as usize] += 1);
    }
    let (ids, size) = numbered(&rows, min_count);
    let ids = values.iter().map(|&value| ids[value as usize]).collect();
    Vocabulary { local: LocalIds::Windows { ids, ranges: ranges.to_vec() }, size }
}

/// Each value of a list once; by comparing each with those before, since lists are short.
pub(crate) fn distinct(list: &[u32]) -> impl Iterator<Item = u32> {
    let is_first = |(at, value): &(usize, &u32)| !list[..*at].contains(value);
    list.iter().enumerate().filter(is_first).map(|(_, value)| *value)
}

fn entries(list: &str) -> impl Iterator<Item = &str> {
    list.split(LIST_SEPARATOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_each_and_unseen_ones_are_one() {
        let column = Column {
            name: "genres".to_owned(),
            codes: Codes::Row(vec![0, 1, 1, 2]),
            dictionary: ["Drama\u{1f}War", "Drama", "Action\u{1f}Drama\u{1f}Western"].map(str::to_owned).to_vec(),
            is_list: true,
        };
        let log = Log { label: vec![0; 4], ..Log::default() };
        let splits = [Split::Train, Split::Train, Split::Train, Split::Test];
        let build = |min_count| match build(&log, &splits, &column, min_count) {
            Vocabulary { local: LocalIds::Lists(lists), size } => (lists, size),
            _ => unreachable!("the column has lists"),
        };
        // Drama in three training rows, War in one; Action and Western in the test row alone.
        assert_eq!(build(1), (vec![vec![1, 2], vec![1], vec![0, 1]], 3));
        assert_eq!(build(2), (vec![vec![1, 0], vec![1], vec![0, 1]], 2));
    }
}

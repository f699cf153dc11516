//! The canonical log: what every source is turned into before splitting and encoding.

use std::ops::Range;
use std::sync::Arc;

use crate::Split;
#[cfg(doc)]
use crate::json_lines::LIST_SEPARATOR;

/// Impressions of all users with their attributes, sorted by user, then time, then order in the file.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Log {
    /// User ids of the source, by user index.
    pub user_keys: Vec<String>,
    pub user: Vec<u32>,
    pub item: Vec<u32>,
    pub time: Vec<i64>,
    pub label: Vec<u8>,
    pub true_probability: Option<Vec<f32>>,
    /// Part of the published split, by row; empty where there is none.
    pub published: Vec<Split>,
    /// First time of the published test part, where it is a cut in time.
    pub test_from: Option<i64>,
    /// Input fields; the first is the item itself.
    pub columns: Vec<Column>,
    /// Items that the user had before each row, oldest first, where the source says so itself; else empty.
    pub row_histories: Vec<Vec<u32>>,
    /// What each user saw before the log starts, by user index; empty if nothing is known of any user.
    pub earlier: Vec<Earlier>,
    pub origin: Origin,
}

/// A categorical column: codes into a dictionary, whose entries are categories or lists of them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Column {
    pub name: String,
    pub codes: Codes,
    /// Category by code, or by value of [`Codes::Recent`]; of a column of lists, its categories with [`LIST_SEPARATOR`] between
    /// them.
    pub dictionary: Vec<String>,
    /// Whether a code stands for a list of categories.
    pub is_list: bool,
}

/// Codes per user, per item, or per row: attributes of an entity are not repeated on its rows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Codes {
    User(Vec<u32>),
    Item(Vec<u32>),
    Row(Vec<u32>),
    /// What the row's user did last before it.
    Recent(Recent),
}

/// Per row a window of values, which have times.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Recent {
    pub values: Vec<u32>,
    pub times: Arc<[i64]>,
    /// Start and end, by row.
    pub ranges: Vec<(u32, u32)>,
}

impl Recent {
    /// Drops the values that no row sees.
    pub fn compact(&mut self) {
        let mut seen = vec![false; self.values.len()];
        self.ranges.iter().for_each(|&(start, end)| seen[start as usize..end as usize].fill(true));
        if seen.iter().all(|seen| *seen) {
            return;
        }
        let mut kept = 0;
        let mut new: Vec<u32> = Vec::with_capacity(seen.len() + 1);
        for &seen in &seen {
            new.push(kept);
            kept += u32::from(seen);
        }
        new.push(kept);
        for (start, end) in &mut self.ranges {
            // An empty window may stand anywhere.
            (*start, *end) = if start == end { (0, 0) } else { (new[*start as usize], new[*end as usize]) };
        }
        self.times = self.times.iter().zip(&seen).filter(|(_, seen)| **seen).map(|(time, _)| *time).collect();
        retain(&mut self.values, &seen);
    }
}

/// Items a user watched before the log starts, oldest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Earlier {
    /// Time of the last of them.
    pub last_time: i64,
    pub items: Vec<u32>,
}

/// Facts that only the raw source knows.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Origin {
    pub label_rule: String,
    /// Whether the label is a rating above a threshold.
    pub is_rating: bool,
    pub time_unit: String,
    pub raw_rows: usize,
    pub repeated_rows: usize,
    pub raw_positive_rate: f64,
    pub users_with_20_raw_rows: usize,
    pub items_listed: Option<usize>,
    /// Lines that were left out because they cannot be read.
    pub skipped_rows: u64,
    /// What was drawn: users, negatives.
    pub sampling: Vec<String>,
    pub warnings: Vec<String>,
}

impl Log {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.label.len()
    }

    /// Number of items that have rows; others were only seen before the log.
    pub fn items_with_rows(&self) -> usize {
        let mut seen = vec![false; self.columns[0].dictionary.len()];
        self.item.iter().for_each(|&item| seen[item as usize] = true);
        seen.into_iter().filter(|&seen| seen).count()
    }

    /// Code of `column` in row `row`; of what users did last, the row itself, which has a list of its own.
    pub fn code(&self, column: &Column, row: usize) -> u32 {
        match &column.codes {
            Codes::User(codes) => codes[self.user[row] as usize],
            Codes::Item(codes) => codes[self.item[row] as usize],
            Codes::Row(codes) => codes[row],
            Codes::Recent(_) => row as u32,
        }
    }

    /// Pairs of rows within `rows` that have one item: each later row with the first one, ascending by item.
    pub fn twins(&self, rows: Range<usize>) -> Vec<(usize, usize)> {
        let mut by_item: Vec<(u32, usize)> = rows.map(|row| (self.item[row], row)).collect();
        by_item.sort_unstable();
        let mut first = 0;
        let mut twins = Vec::new();
        for at in 1..by_item.len() {
            if by_item[at].0 == by_item[first].0 {
                twins.push((by_item[first].1, by_item[at].1));
            } else {
                first = at;
            }
        }
        twins
    }

    /// Row range of each user that has rows, in order.
    pub fn user_ranges(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        runs(&self.user, 0..self.user.len())
    }
}

/// Ranges of equal neighbours within `range`.
pub(crate) fn runs<T: PartialEq>(values: &[T], range: Range<usize>) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut start = range.start;
    std::iter::from_fn(move || {
        if start >= range.end {
            return None;
        }
        let length = values[start..range.end].iter().take_while(|value| **value == values[start]).count();
        let run = start..start + length;
        start = run.end;
        Some(run)
    })
}

/// Keeps the values whose row is kept; nothing is done where there is no value per row.
pub(crate) fn retain<T>(values: &mut Vec<T>, kept: &[bool]) {
    if values.len() == kept.len() {
        let mut rows = kept.iter();
        values.retain(|_| rows.next() == Some(&true));
    }
}

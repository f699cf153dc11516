//! What users did beside the log, such as the pages they looked at: each row of the log gets the last of it.

use std::ops::Range;
use std::sync::Arc;

use indexmap::IndexSet;

use crate::DataError;
use crate::keys::{ABSENT, Keys};
use crate::log::{Codes, Column, Log, Recent, retain, runs};
use crate::source_layout::{BehaviorFile, FieldRule};
use crate::table::Table;
use crate::transform::{MISSING, category};

/// What is held of a file of behaviors before it is thinned out.
const HELD_ROWS: usize = 1 << 25;

/// The behaviors of the log's users, thinned out again and again to those that a row of the log can see, so that memory
/// follows the log and not the file.
pub(crate) struct Behaviors<'a> {
    file: &'a BehaviorFile,
    rules: Vec<&'a FieldRule>,
    users: &'a Keys,
    log: &'a Log,
    user: Vec<u32>,
    time: Vec<i64>,
    /// Codes of each rule's column, into its categories.
    codes: Vec<Vec<u32>>,
    categories: Vec<IndexSet<String>>,
    held_rows: usize,
}

impl<'a> Behaviors<'a> {
    /// None yet.
    pub fn new(file: &'a BehaviorFile, rules: Vec<&'a FieldRule>, users: &'a Keys, log: &'a Log) -> Behaviors<'a> {
        let (codes, categories) = (vec![Vec::new(); rules.len()], vec![IndexSet::new(); rules.len()]);
        Behaviors {
            file,
            rules,
            users,
            log,
            user: Vec::new(),
            time: Vec::new(),
            codes,
            categories,
            held_rows: HELD_ROWS,
        }
    }

    /// Appends a part of the file, which follows those before.
    ///
    /// # Errors
    /// If the descriptor does not read a column that is needed, or with another type.
    pub fn append(&mut self, table: &Table) -> Result<(), DataError> {
        let key = table.column(&self.file.user)?;
        if !self.users.are_of_type(key) {
            let message = format!("the key '{}' must have the type that it has in the log", self.file.user);
            return Err(table.descriptor_error(message));
        }
        let user = self.users.indices(key);
        let time = table.ints(&self.file.time)?;
        let kept: Vec<usize> = (0..table.rows()).filter(|&row| user[row] != ABSENT).collect();
        self.user.extend(kept.iter().map(|&row| user[row]));
        self.time.extend(kept.iter().map(|&row| time[row]));
        let columns = self.rules.iter().zip(&mut self.codes).zip(&mut self.categories);
        for ((rule, codes), categories) in columns {
            let texts = table.texts(&rule.columns[0])?;
            let mut of_code = vec![ABSENT; texts.distinct.len()];
            codes.extend(kept.iter().map(|&row| {
                let code = &mut of_code[texts.codes[row] as usize];
                if *code == ABSENT {
                    // A text can always be taken.
                    let category = category(rule, &[texts.get(row)]).unwrap_or_else(|_| MISSING.to_owned());
                    *code = categories.insert_full(category).0 as u32;
                }
                *code
            }));
        }
        if self.user.len() >= self.held_rows {
            self.thin_out();
            // What is left is needed; the next time comes when half as much again was added.
            self.held_rows = HELD_ROWS.max(self.user.len() + self.user.len() / 2);
        }
        if self.user.len() >= ABSENT as usize {
            let message =
                format!("{} behaviors before rows of the log are more than ctrbench can index", self.user.len());
            return Err(table.descriptor_error(format!("{message}; lower max_values")));
        }
        Ok(())
    }

    /// Sorts by user, time and place in the file, and drops what no row of the log can see.
    fn thin_out(&mut self) {
        let mut order: Vec<u32> = (0..self.user.len() as u32).collect();
        order.sort_unstable_by_key(|&at| (self.user[at as usize], self.time[at as usize], at));
        self.user = order.iter().map(|&at| self.user[at as usize]).collect();
        self.time = order.iter().map(|&at| self.time[at as usize]).collect();
        let mut seen = vec![false; order.len()];
        for window in self.windows(self.rules.iter().map(|rule| most(rule)).max().unwrap_or(0)) {
            seen[window].fill(true);
        }
        let keep = |values: &mut Vec<u32>| {
            *values = order.iter().zip(&seen).filter(|(_, seen)| **seen).map(|(&at, _)| values[at as usize]).collect();
        };
        self.codes.iter_mut().for_each(keep);
        retain(&mut self.user, &seen);
        retain(&mut self.time, &seen);
        for (codes, categories) in self.codes.iter_mut().zip(&mut self.categories) {
            let (recoded, dictionary) = sorted(std::mem::take(codes), categories);
            *codes = recoded;
            *categories = dictionary.into_iter().collect();
        }
    }

    /// For each row of the log the user's last `most` behaviors strictly before it; they must be sorted.
    fn windows(&self, most: usize) -> Vec<Range<usize>> {
        let mut of_user = vec![0..0; self.users.len()];
        for run in runs(&self.user, 0..self.user.len()) {
            let user = self.user[run.start];
            of_user[user as usize] = run;
        }
        let window = |(&user, time): (&u32, &i64)| {
            let own = of_user[user as usize].clone();
            let end = own.start + self.time[own.clone()].partition_point(|before| before < time);
            end.saturating_sub(most).max(own.start)..end
        };
        self.log.user.iter().zip(&self.log.time).map(window).collect()
    }

    /// A column for each rule.
    pub fn columns(mut self) -> Vec<Column> {
        self.thin_out();
        let times: Arc<[i64]> = self.time.as_slice().into();
        let mut columns = Vec::with_capacity(self.rules.len());
        for at in 0..self.rules.len() {
            let ranges = self.windows(most(self.rules[at])).into_iter();
            let ranges = ranges.map(|range| (range.start as u32, range.end as u32)).collect();
            let mut recent = Recent { values: std::mem::take(&mut self.codes[at]), times: times.clone(), ranges };
            recent.compact();
            let (values, dictionary) = sorted(std::mem::take(&mut recent.values), &self.categories[at]);
            let codes = Codes::Recent(Recent { values, ..recent });
            columns.push(Column { name: self.rules[at].name.clone(), codes, dictionary, is_list: false });
        }
        columns
    }
}

/// The descriptor was checked for it.
fn most(rule: &FieldRule) -> usize {
    rule.max_values.map_or(1, usize::from)
}

/// Codes into the sorted categories that occur.
fn sorted(codes: Vec<u32>, categories: &IndexSet<String>) -> (Vec<u32>, Vec<String>) {
    let mut occurs = vec![false; categories.len()];
    codes.iter().for_each(|&code| occurs[code as usize] = true);
    let mut order: Vec<u32> = (0..categories.len() as u32).filter(|&code| occurs[code as usize]).collect();
    order.sort_unstable_by_key(|&code| &categories[code as usize]);
    let mut new = vec![ABSENT; categories.len()];
    order.iter().zip(0..).for_each(|(&code, at)| new[code as usize] = at);
    let dictionary = order.iter().map(|&code| categories[code as usize].clone()).collect();
    (codes.into_iter().map(|code| new[code as usize]).collect(), dictionary)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    use crate::source_layout::Source;
    use crate::values::{TextColumn, Values};

    fn source(max_values: usize) -> Source {
        let text = r#"
label = { column = "click", positive_at_least = 1.0 }
[log]
user = "user"
item = "item"
time_unit = "seconds"
[log.file]
path = "log.csv"
columns = [{ name = "user", type = "int" }]
[behaviors]
user = "user"
time = "time"
time_unit = "seconds"
[behaviors.file]
path = "behaviors.csv"
columns = [{ name = "user", type = "int" }, { name = "time", type = "int" }, { name = "page", type = "text" }]
"#;
        let field = format!(
            "[[fields]]\nname = \"pages\"\nof = \"behavior\"\ncolumns = [\"page\"]\ntransform = \"recent\"\nmax_values = {max_values}\n"
        );
        toml::from_str(&format!("{text}{field}")).unwrap()
    }

    proptest! {
        /// However often the behaviors are thinned out, rows see the last ones strictly before them, in order.
        #[test]
        fn rows_see_the_last_behaviors_before_them(
            rows in prop::collection::vec((0i64..3, 0i64..20), 1..30),
            behaviors in prop::collection::vec((0i64..4, 0i64..20, 0u8..4), 0..60),
            part in 1usize..20,
            most in 1usize..5,
        ) {
            let mut rows = rows;
            rows.sort_unstable();
            let log = Log {
                user: rows.iter().map(|row| row.0 as u32).collect(),
                time: rows.iter().map(|row| row.1).collect(),
                ..Log::default()
            };
            let (source, users) = (source(most), Keys::Int(vec![0, 1, 2]));
            let file = source.behaviors.as_ref().unwrap();
            let mut held = Behaviors::new(file, source.fields.iter().collect(), &users, &log);
            held.held_rows = 1;
            for part in behaviors.chunks(part) {
                let mut table = Table::empty(&file.file);
                let [user, time, page] = table.columns_mut() else { unreachable!("three columns") };
                *user = Values::Int(part.iter().map(|behavior| behavior.0).collect());
                *time = Values::Int(part.iter().map(|behavior| behavior.1).collect());
                let mut pages = TextColumn::default();
                part.iter().for_each(|behavior| pages.push(&format!("page {}", behavior.2)));
                *page = Values::Text(pages);
                held.append(&table).unwrap();
                held.held_rows = 1;
            }
            let Column { codes: Codes::Recent(recent), dictionary, .. } = held.columns().remove(0) else {
                unreachable!("one column of recent values")
            };
            for (row, (start, end)) in rows.iter().zip(recent.ranges) {
                let mut before: Vec<_> =
                    behaviors.iter().filter(|behavior| behavior.0 == row.0 && behavior.1 < row.1).collect();
                before.sort_by_key(|behavior| behavior.1);
                let last = &before[before.len().saturating_sub(most)..];
                let expected: Vec<String> = last.iter().map(|behavior| format!("page {}", behavior.2)).collect();
                let found: Vec<&String> =
                    recent.values[start as usize..end as usize].iter().map(|&code| &dictionary[code as usize]).collect();
                prop_assert_eq!(found, expected.iter().collect::<Vec<_>>());
            }
            prop_assert!(dictionary.is_sorted());
        }
    }
}

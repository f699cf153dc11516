//! From a dataset's files to the canonical log.

use std::path::PathBuf;

use crate::bad_rows::BadRows;
use crate::categories::categories;
use crate::descriptor::{
    ColumnType, Descriptor, EarlierFile, EntityFile, FieldRule, LogFile, Owner, Source, SourceFile,
};
use crate::json_lines::LIST_SEPARATOR;
use crate::keys::{ABSENT, Keys};
use crate::labels::labels;
use crate::log::{Codes, Column, Earlier, Log, Origin, runs};
use crate::read_table::{append_file, read_table};
use crate::source::Folder;
use crate::subsample::retain;
use crate::table::Table;
use crate::transform::MISSING;
use crate::values::Values;
use crate::{DataError, DatasetConfig, NO_USER, Split};

/// Reads all files of `folder` and puts the rows in order.
pub(crate) fn read_log(
    config: &DatasetConfig,
    descriptor: &Descriptor,
    source: &Source,
    folder: &Folder,
) -> Result<Log, DataError> {
    let mut reader = Reader { folder, bad_rows: BadRows::new(config.bad_rows), warnings: Vec::new() };
    let (table, raw_parts) = reader.log(&source.log)?;
    if table.rows() >= u32::MAX as usize {
        return Err(table.descriptor_error(format!("{} rows are more than ctrbench can index", table.rows())));
    }
    for column in source.log.user.iter().chain([&source.log.item, &source.label.column]) {
        if let Some(row) = first_missing(&table, column)? {
            return Err(table.malformed(row, column, "", "is missing, where each row needs it; correct the line"));
        }
    }
    let (raw_labels, label_rule) = labels(config, &source.label, &table)?;
    let earlier = source.earlier.as_ref().map(|file| reader.earlier(file)).transpose()?.flatten();
    let users = match &source.log.user {
        Some(column) => keys(&table, column, &[])?,
        None => Keys::Text(vec![NO_USER.to_owned()]),
    };
    let histories =
        source.log.history.as_ref().map(|column| RowLists::read(&table, column, &source.log.item)).transpose()?;
    let mut watched: Vec<&Values> = earlier.iter().map(|earlier| &earlier.items).collect();
    watched.extend(histories.iter().map(|histories| &histories.values));
    let items = keys(&table, &source.log.item, &watched)?;

    let (mut log, mut order) = rows_in_order(&source.log, &table, &users, &items)?;
    let rows_of_users: Vec<usize> = log.user_ranges().map(|range| range.len()).collect();
    log.origin = Origin {
        label_rule,
        is_rating: source.label.is_rating,
        time_unit: source.log.time_unit.clone(),
        raw_rows: order.len(),
        raw_positive_rate: raw_labels.iter().map(|&label| f64::from(label)).sum::<f64>() / raw_labels.len() as f64,
        users_with_20_raw_rows: rows_of_users.iter().filter(|&&rows| rows >= 20).count(),
        ..Origin::default()
    };
    if source.log.drop_repeats {
        drop_repeats(&mut log, &mut order);
    }
    log.label = order.iter().map(|&row| raw_labels[row as usize]).collect();
    if let Some(histories) = histories {
        log.row_histories = histories.in_order(&items, &order);
    }
    log.test_from = source.test_from;
    log.published = order.iter().filter_map(|&row| raw_parts.get(row as usize).copied()).collect();

    let of_users = source.users.as_ref().map(|file| reader.attributes(file, &users)).transpose()?;
    let of_items = source.items.as_ref().map(|file| reader.attributes(file, &items)).transpose()?;
    log.origin.items_listed = of_items.as_ref().map(|attributes| attributes.table.rows());
    log.columns.push(Column {
        name: "item".to_owned(),
        codes: Codes::Item((0..items.len() as u32).collect()),
        dictionary: items.names(),
    });
    for rule in &source.fields {
        let (codes, dictionary) = match rule.of {
            Owner::User => entity_categories(rule, of_users.as_ref(), users.len())?,
            Owner::Item => entity_categories(rule, of_items.as_ref(), items.len())?,
            Owner::Row => categories(rule, &table, &order)?,
        };
        let codes = match rule.of {
            Owner::User => Codes::User(codes),
            Owner::Item => Codes::Item(codes),
            Owner::Row => Codes::Row(codes),
        };
        log.columns.push(Column { name: rule.name.clone(), codes, dictionary });
    }
    if let Some(earlier) = earlier {
        log.earlier = earlier.by_user(&users, &items);
    }
    log.origin.skipped_rows = reader.bad_rows.skipped;
    log.origin.warnings = reader.warnings;
    log.origin.warnings.extend(reader.bad_rows.warnings);
    compare_with_published(descriptor, &mut log);
    Ok(log)
}

/// What a user saw before the log, by row of its file.
struct EarlierRows {
    users: Values,
    last_times: Vec<i64>,
    /// Items of all rows, one row after the other.
    items: Values,
    /// Number of items of each row.
    lengths: Vec<usize>,
}

impl EarlierRows {
    fn by_user(&self, users: &Keys, items: &Keys) -> Vec<Earlier> {
        let mut all = vec![Earlier::default(); users.len()];
        let item_indices = items.indices(&self.items);
        let mut start = 0;
        for ((user, &last_time), &length) in
            users.indices(&self.users).into_iter().zip(&self.last_times).zip(&self.lengths)
        {
            if user != ABSENT {
                all[user as usize] = Earlier { last_time, items: item_indices[start..start + length].to_vec() };
            }
            start += length;
        }
        all
    }
}

/// A list of item keys in each row of the log.
struct RowLists {
    /// Those of all rows, one row after the other.
    values: Values,
    lengths: Vec<usize>,
}

impl RowLists {
    /// Reads `column`, whose keys are of the type of the column `item`.
    fn read(table: &Table, column: &str, item: &str) -> Result<RowLists, DataError> {
        let kind = match table.column(item)? {
            Values::Text(_) => ColumnType::Text,
            _ => ColumnType::Int,
        };
        let mut lists = RowLists { values: Values::empty(kind), lengths: Vec::with_capacity(table.rows()) };
        for row in 0..table.rows() {
            let (text, before) = (table.text(column, row)?, lists.values.len());
            let is_list = text.contains(LIST_SEPARATOR);
            let is_between = |c: char| match is_list {
                true => c == LIST_SEPARATOR,
                false => c.is_whitespace() || matches!(c, ',' | '|' | '^'),
            };
            for key in text.split(is_between).filter(|key| !key.is_empty()) {
                let pushed = lists.values.push(kind, key);
                pushed.map_err(|message| table.malformed(row, column, key, &format!("{message}; correct the line")))?;
            }
            lists.lengths.push(lists.values.len() - before);
        }
        Ok(lists)
    }

    /// The lists by row of the log, as indices of items.
    fn in_order(&self, items: &Keys, order: &[u32]) -> Vec<Vec<u32>> {
        let indices = items.indices(&self.values);
        let mut starts = Vec::with_capacity(self.lengths.len());
        let mut start = 0;
        for length in &self.lengths {
            starts.push(start);
            start += length;
        }
        let list = |&row: &u32| indices[starts[row as usize]..][..self.lengths[row as usize]].to_vec();
        order.iter().map(list).collect()
    }
}

/// Attributes of users or items, and the row of each; [`ABSENT`] where the file lists none.
struct Attributes {
    table: Table,
    rows: Vec<u32>,
}

/// Reads the files of a dataset and keeps what is to be said about them.
struct Reader<'a> {
    folder: &'a Folder,
    bad_rows: BadRows,
    warnings: Vec<String>,
}

impl Reader<'_> {
    fn required(&self, file: &SourceFile) -> Result<PathBuf, DataError> {
        let mut needed = file.clone();
        needed.optional = false;
        Ok(self.folder.file(&needed)?.unwrap_or_default())
    }

    /// All rows of the log, and the part of the published split of each; empty where there is none.
    fn log(&mut self, log: &LogFile) -> Result<(Table, Vec<Split>), DataError> {
        let (mut table, mut parts) = (Table::empty(&log.file), Vec::new());
        for (part, file) in log.files() {
            let path = self.required(&file)?;
            if let Some(stand_in) = file.stand_in.as_ref().filter(|stand_in| path.ends_with(&stand_in.path)) {
                self.warnings.push(format!("{} stands in for {}: {}", stand_in.path, file.path, stand_in.warning));
            }
            append_file(&mut table, &path, &file, &mut self.bad_rows)?;
            if log.held_out.is_some() {
                parts.resize(table.rows(), part);
            }
        }
        Ok((table, parts))
    }

    fn attributes(&mut self, file: &EntityFile, keys: &Keys) -> Result<Attributes, DataError> {
        let table = read_table(&self.required(&file.file)?, &file.file, &mut self.bad_rows)?;
        let column = table.column(&file.key)?;
        if !keys.are_of_type(column) {
            return Err(
                table.descriptor_error(format!("the key '{}' must have the type that it has in the log", file.key))
            );
        }
        let mut rows = vec![ABSENT; keys.len()];
        for (row, key) in keys.indices(column).into_iter().enumerate() {
            if key != ABSENT {
                rows[key as usize] = row as u32;
            }
        }
        Ok(Attributes { table, rows })
    }

    fn earlier(&mut self, file: &EarlierFile) -> Result<Option<EarlierRows>, DataError> {
        let Some(path) = self.folder.file(&file.file)? else { return Ok(None) };
        let table = read_table(&path, &file.file, &mut self.bad_rows)?;
        let (mut items, mut lengths) = (Vec::new(), Vec::with_capacity(table.rows()));
        for row in 0..table.rows() {
            let (text, before) = (table.text(&file.items, row)?, items.len());
            for item in text.split_whitespace() {
                items.push(
                    item.parse()
                        .map_err(|_| table.malformed(row, &file.items, item, "is not an item id; correct the line"))?,
                );
            }
            lengths.push(items.len() - before);
        }
        let users = table.column(&file.user)?.clone();
        Ok(Some(EarlierRows {
            users,
            last_times: table.ints(&file.last_time)?.to_vec(),
            items: Values::Int(items),
            lengths,
        }))
    }
}

/// First row whose text is empty.
fn first_missing(table: &Table, column: &str) -> Result<Option<usize>, DataError> {
    Ok(match table.column(column)? {
        Values::Text(values) => {
            let empty = values.distinct.get_index_of("");
            empty.and_then(|empty| values.codes.iter().position(|&code| code as usize == empty))
        }
        Values::Int(_) | Values::Number(_) => None,
    })
}

/// Distinct keys of a column, and of others of its type.
fn keys(table: &Table, column: &str, others: &[&Values]) -> Result<Keys, DataError> {
    let mut columns = vec![table.column(column)?];
    columns.extend(others);
    Keys::distinct(&columns).ok_or_else(|| {
        table.descriptor_error(format!(
            "column '{column}' holds keys: its type must be int or text, everywhere the same"
        ))
    })
}

/// The log without labels and fields, and the row of the table of each of its rows: by user, time and place in the file.
fn rows_in_order(log: &LogFile, table: &Table, users: &Keys, items: &Keys) -> Result<(Log, Vec<u32>), DataError> {
    let rows = table.rows();
    let user = match &log.user {
        Some(column) => users.indices(table.column(column)?),
        None => vec![0; rows],
    };
    let no_times = vec![0; if log.time.is_none() { rows } else { 0 }];
    let time = log.time.as_ref().map_or(Ok(&no_times[..]), |time| table.ints(time))?;
    let mut order: Vec<u32> = (0..rows as u32).collect();
    order.sort_unstable_by_key(|&row| (user[row as usize], time[row as usize], row));
    let item = items.indices(table.column(&log.item)?);
    let sorted = Log {
        user_keys: users.names(),
        user: order.iter().map(|&row| user[row as usize]).collect(),
        time: order.iter().map(|&row| time[row as usize]).collect(),
        item: order.iter().map(|&row| item[row as usize]).collect(),
        ..Log::default()
    };
    Ok((sorted, order))
}

/// Codes and dictionary of a field of users or items; without a file of them everything is missing.
fn entity_categories(
    rule: &FieldRule,
    attributes: Option<&Attributes>,
    entities: usize,
) -> Result<(Vec<u32>, Vec<String>), DataError> {
    match attributes {
        Some(Attributes { table, rows }) => categories(rule, table, rows),
        None => Ok((vec![0; entities], vec![MISSING.to_owned()])),
    }
}

/// Keeps the first of the rows that share user, item and time; `order` follows.
fn drop_repeats(log: &mut Log, order: &mut Vec<u32>) {
    let mut keep = vec![true; log.user.len()];
    for user in log.user_ranges() {
        for tie in runs(&log.time, user) {
            for (_, row) in log.twins(tie) {
                keep[row] = false;
            }
        }
    }
    log.origin.repeated_rows = keep.iter().filter(|kept| !**kept).count();
    retain(&mut log.user, &keep);
    retain(&mut log.item, &keep);
    retain(&mut log.time, &keep);
    retain(order, &keep);
}

/// Warns where the counts are not those of the official files.
fn compare_with_published(descriptor: &Descriptor, log: &mut Log) {
    let Some(expected) = &descriptor.expected else { return };
    let items = log.items_with_rows();
    for (what, found, published) in [
        ("rows", log.origin.raw_rows, expected.rows),
        ("users", log.user_keys.len(), expected.users),
        ("items", items, expected.items),
    ] {
        if published.is_some_and(|published| found as u64 != published) {
            log.origin.warnings.push(format!(
                "{}: {found} {what}, but the official files hold {}: is the download complete?",
                descriptor.name,
                published.unwrap_or_default()
            ));
        }
    }
}

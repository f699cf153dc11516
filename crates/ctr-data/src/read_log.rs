//! From a dataset's files to the canonical log.

use std::path::PathBuf;

use crate::bad_rows::BadRows;
use crate::behaviors::Behaviors;
use crate::categories::categories;
use crate::folder::Folder;
use crate::item_lists::{Between, ItemLists};
use crate::json_lines::LIST_SEPARATOR;
use crate::keys::{ABSENT, Keys};
use crate::labels::labels;
use crate::log::{Codes, Column, Earlier, Log, Origin, retain, runs};
use crate::read_table::{append_file, read_table, stream_file};
use crate::row_checks::RowChecks;
use crate::source_file::{ColumnType, SourceFile, StandIn};
use crate::source_layout::{BehaviorFile, EarlierFile, EntityFile, FieldRule, LogFile, Owner, Source};
use crate::table::Table;
use crate::transform::Transform;
use crate::values::Values;
use crate::{DataError, DatasetConfig, NO_USER, Split};

/// Reads all files of `folder` and puts the rows in order.
pub(crate) fn read_log(config: &DatasetConfig, source: &Source, folder: &Folder) -> Result<Log, DataError> {
    let bad_rows = BadRows::new(config.bad_rows);
    let mut reader = Reader { folder, fields: &source.fields, bad_rows, warnings: Vec::new() };
    let (table, raw_parts) = reader.log(source)?;
    if table.rows() >= u32::MAX as usize {
        return Err(table.descriptor_error(format!("{} rows are more than ctrbench can index", table.rows())));
    }
    let (raw_labels, label_rule) = labels(config, &source.label, &table)?;
    let earlier = source.earlier.as_ref().map(|file| reader.earlier(file)).transpose()?.flatten();
    let users = match &source.log.user {
        Some(column) => keys(&table, column, &[])?,
        None => Keys::Text(vec![NO_USER.to_owned()]),
    };
    let histories = row_histories(&table, &source.log)?;
    let watched = earlier.iter().map(|earlier| &earlier.items).chain(&histories).map(|lists| &lists.keys);
    let watched: Vec<&Values> = watched.collect();
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
        let mut histories = histories.indices(&items);
        log.row_histories = order.iter().map(|&row| std::mem::take(&mut histories[row as usize])).collect();
    }
    log.test_from = source.test_from;
    log.published = order.iter().filter_map(|&row| raw_parts.get(row as usize).copied()).collect();

    let of_users = source.users.as_ref().map(|file| reader.attributes(file, Owner::User, &users)).transpose()?;
    let of_items = source.items.as_ref().map(|file| reader.attributes(file, Owner::Item, &items)).transpose()?;
    log.origin.items_listed = of_items.as_ref().map(|attributes| attributes.table.rows());
    log.columns.push(Column {
        name: "item".to_owned(),
        codes: Codes::Item((0..items.len() as u32).collect()),
        dictionary: items.names(),
        is_list: false,
    });
    for rule in &source.fields {
        // The descriptor was checked for it that each has its file.
        let ((codes, dictionary), of): (_, fn(Vec<u32>) -> Codes) = match (rule.of, &of_users, &of_items) {
            (Owner::User, Some(users), _) => (categories(rule, &users.table, &users.rows)?, Codes::User),
            (Owner::Item, _, Some(items)) => (categories(rule, &items.table, &items.rows)?, Codes::Item),
            (Owner::Row, ..) => (categories(rule, &table, &order)?, Codes::Row),
            _ => continue,
        };
        let (name, is_list) = (rule.name.clone(), rule.transform.is_list());
        let has_one_at_most = !dictionary.iter().any(|list| list.contains(LIST_SEPARATOR));
        if rule.transform == Transform::List && has_one_at_most && rule.max_values.is_none_or(|most| most.get() > 1) {
            let what = "is a list, but no sample has several values: is its separator right?";
            reader.warnings.push(format!("field '{name}' {what}"));
        }
        log.columns.push(Column { name, codes: of(codes), dictionary, is_list });
    }
    // The largest of all files comes last, when nothing else is held.
    drop(table);
    if let Some(file) = &source.behaviors {
        let columns = reader.behaviors(file, &users, &log)?;
        log.columns.extend(columns);
    }
    if let Some(earlier) = earlier {
        log.earlier = earlier.by_user(&users, &items);
        if log.earlier.iter().all(|earlier| earlier.items.is_empty()) {
            let what = "what users did before the log belongs to none of its users: are they written alike?";
            reader.warnings.push(what.to_owned());
        }
    }
    log.origin.skipped_rows = reader.bad_rows.skipped;
    log.origin.warnings = reader.warnings;
    log.origin.warnings.extend(reader.bad_rows.warnings);
    Ok(log)
}

/// What users saw before the log, by row of its file.
struct EarlierRows {
    users: Values,
    last_times: Vec<i64>,
    items: ItemLists,
}

impl EarlierRows {
    fn by_user(&self, users: &Keys, items: &Keys) -> Vec<Earlier> {
        let mut all = vec![Earlier::default(); users.len()];
        let rows = users.indices(&self.users).into_iter().zip(&self.last_times).zip(self.items.indices(items));
        for ((user, &last_time), items) in rows.filter(|((user, _), _)| *user != ABSENT) {
            all[user as usize] = Earlier { last_time, items };
        }
        all
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
    fields: &'a [FieldRule],
    bad_rows: BadRows,
    warnings: Vec<String>,
}

impl<'a> Reader<'a> {
    /// The fields that are made of this owner's columns, where lines that they cannot be made of may be left out; else the
    /// first such line shows when the field is made.
    fn checked_fields(&self, of: Owner) -> Vec<&'a FieldRule> {
        let of_owner = self.fields.iter().filter(|rule| rule.of == of);
        if self.bad_rows.may_skip() { of_owner.collect() } else { Vec::new() }
    }

    /// Path of a file; nothing if it may be absent and is. What stands in for another file is warned of.
    fn file(&mut self, file: &SourceFile) -> Result<Option<PathBuf>, DataError> {
        let path = self.folder.file(file)?;
        let is_stand_in = |stand_in: &&StandIn| path.as_ref().is_some_and(|path| path.ends_with(&stand_in.path));
        if let Some(stand_in) = file.stand_in.as_ref().filter(is_stand_in) {
            self.warnings.push(format!("{} stands in for {}: {}", stand_in.path, file.path, stand_in.warning));
        }
        Ok(path)
    }

    /// The same for a file that may not be absent.
    fn required(&mut self, file: &SourceFile) -> Result<PathBuf, DataError> {
        self.folder.required(file)?;
        Ok(self.file(file)?.unwrap_or_default())
    }

    /// All rows of the log, and the part of the published split of each; empty where there is none.
    fn log(&mut self, source: &Source) -> Result<(Table, Vec<Split>), DataError> {
        let log = &source.log;
        let (mut table, mut parts) = (Table::empty(&log.file), Vec::new());
        let needed = log.user.iter().chain([&log.item, &source.label.column]).map(String::as_str).collect();
        let item_list = match &log.history {
            Some(column) if self.bad_rows.may_skip() => Some((column.as_str(), item_type(&table, log)?, BETWEEN_ITEMS)),
            _ => None,
        };
        let checks = RowChecks { needed, item_list, fields: self.checked_fields(Owner::Row), of: None };
        for (part, file) in log.files() {
            let path = self.required(&file)?;
            append_file(&mut table, &path, &file, &checks, &mut self.bad_rows)?;
            if log.held_out.is_some() {
                parts.resize(table.rows(), part);
            }
        }
        Ok((table, parts))
    }

    fn attributes(&mut self, file: &EntityFile, of: Owner, keys: &Keys) -> Result<Attributes, DataError> {
        let checks = RowChecks {
            needed: vec![&file.key],
            fields: self.checked_fields(of),
            of: Some((&file.key, keys)),
            ..RowChecks::default()
        };
        let path = self.required(&file.file)?;
        let table = read_table(&path, &file.file, &checks, &mut self.bad_rows)?;
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
        if rows.iter().all(|&row| row == ABSENT) {
            let what = "has none of the log's keys: are they written alike?";
            self.warnings.push(format!("{}: column '{}' {what}", path.display(), file.key));
        }
        Ok(Attributes { table, rows })
    }

    fn earlier(&mut self, file: &EarlierFile) -> Result<Option<EarlierRows>, DataError> {
        let Some(path) = self.file(&file.file)? else { return Ok(None) };
        let item_list = Some((file.items.as_str(), ColumnType::Int, char::is_whitespace as Between));
        let checks = RowChecks { needed: vec![&file.user], item_list, ..RowChecks::default() };
        let table = read_table(&path, &file.file, &checks, &mut self.bad_rows)?;
        let items = ItemLists::read(&table, &file.items, ColumnType::Int, char::is_whitespace)?;
        let users = table.column(&file.user)?.clone();
        Ok(Some(EarlierRows { users, last_times: table.ints(&file.last_time)?.to_vec(), items }))
    }

    /// A column for each field of behaviors; none where the file may be absent, and is.
    fn behaviors(&mut self, file: &BehaviorFile, users: &Keys, log: &Log) -> Result<Vec<Column>, DataError> {
        let Some(path) = self.file(&file.file)? else { return Ok(Vec::new()) };
        let checks = RowChecks { needed: vec![&file.user], ..RowChecks::default() };
        let rules = self.fields.iter().filter(|rule| rule.of == Owner::Behavior).collect();
        let mut behaviors = Behaviors::new(file, rules, users, log);
        stream_file(&path, &file.file, &checks, &mut self.bad_rows, &mut |table| behaviors.append(table))?;
        let columns = behaviors.columns();
        let is_empty = |column: &Column| matches!(&column.codes, Codes::Recent(recent) if recent.values.is_empty());
        if columns.iter().all(is_empty) {
            let what = "no row of the log has a behavior before it: are users and times written as there?";
            self.warnings.push(format!("{}: {what}", path.display()));
        }
        Ok(columns)
    }
}

/// Items that users had before each row of the log, in the row's own column.
fn row_histories(table: &Table, log: &LogFile) -> Result<Option<ItemLists>, DataError> {
    let Some(column) = &log.history else { return Ok(None) };
    ItemLists::read(table, column, item_type(table, log)?, BETWEEN_ITEMS).map(Some)
}

/// Between the items of a history in a column of the log.
const BETWEEN_ITEMS: Between = |c| c.is_whitespace() || matches!(c, ',' | '|' | '^');

/// Type of the items' keys.
fn item_type(table: &Table, log: &LogFile) -> Result<ColumnType, DataError> {
    Ok(match table.column(&log.item)? {
        Values::Text(_) => ColumnType::Text,
        _ => ColumnType::Int,
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

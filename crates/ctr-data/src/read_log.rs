//! From a dataset's files to the canonical log.

use std::path::{Path, PathBuf};

use crate::descriptor::{Descriptor, EarlierFile, EntityFile, FieldRule, Owner, Source};
use crate::log::{Codes, Column, Earlier, Log, Origin, runs};
use crate::scan::read_table;
use crate::source::Folder;
use crate::table::Table;
use crate::transform::MISSING;
use crate::{DataError, DatasetConfig, Split};

/// Reads all files of `folder` and puts the rows in order.
pub(crate) fn read_log(
    config: &DatasetConfig,
    descriptor: &Descriptor,
    source: &Source,
    folder: &Folder,
) -> Result<Log, DataError> {
    let (table, raw_parts, warnings) = read_parts(folder, source)?;
    let (raw_users, raw_items) = (table.ints(&source.log.user)?, table.ints(&source.log.item)?);
    let no_times = vec![0; if source.log.time.is_none() { table.rows() } else { 0 }];
    let raw_times = source.log.time.as_ref().map_or(Ok(&no_times[..]), |time| table.ints(time))?;
    let (raw_labels, label_rule) = labels(config, source, &table)?;

    let users = distinct(raw_users.iter().copied());
    let earlier = source.earlier.as_ref().and_then(|file| read_earlier(folder, file).transpose()).transpose()?;
    let watched = earlier.iter().flatten().flat_map(|(_, earlier)| earlier.items.iter().copied());
    let items = distinct(raw_items.iter().copied().chain(watched));

    let user: Vec<u32> = raw_users.iter().map(|&key| index_of(&users, key)).collect();
    let mut order: Vec<u32> = (0..table.rows() as u32).collect();
    order.sort_unstable_by_key(|&row| (user[row as usize], raw_times[row as usize], row));
    let mut log = Log {
        user_keys: users.iter().map(i64::to_string).collect(),
        user: order.iter().map(|&row| user[row as usize]).collect(),
        time: order.iter().map(|&row| raw_times[row as usize]).collect(),
        item: order.iter().map(|&row| index_of(&items, raw_items[row as usize])).collect(),
        ..Log::default()
    };
    drop(user);
    let rows_of_users: Vec<usize> = log.user_ranges().map(|range| range.len()).collect();
    log.origin = Origin {
        label_rule,
        is_rating: source.label.is_rating,
        time_unit: source.log.time_unit.clone(),
        raw_rows: order.len(),
        raw_positive_rate: raw_labels.iter().map(|&label| f64::from(label)).sum::<f64>() / raw_labels.len() as f64,
        users_with_20_raw_rows: rows_of_users.iter().filter(|&&rows| rows >= 20).count(),
        warnings,
        ..Origin::default()
    };
    if source.log.drop_repeats {
        drop_repeats(&mut log, &mut order);
    }
    log.label = order.iter().map(|&row| raw_labels[row as usize]).collect();
    log.published = order.iter().filter_map(|&row| raw_parts.get(row as usize).copied()).collect();

    let of_users = source.users.as_ref().map(|file| Attributes::read(folder, file, &users)).transpose()?;
    let of_items = source.items.as_ref().map(|file| Attributes::read(folder, file, &items)).transpose()?;
    log.origin.items_listed = of_items.as_ref().map(|attributes| attributes.table.rows());
    let log_rows: Vec<Option<usize>> = order.iter().map(|&row| Some(row as usize)).collect();
    drop(order);

    log.columns.push(Column {
        name: "item".to_owned(),
        codes: Codes::Item((0..items.len() as u32).collect()),
        dictionary: items.iter().map(i64::to_string).collect(),
    });
    for rule in &source.fields {
        let (codes, dictionary) = match rule.of {
            Owner::User => attributes(rule, of_users.as_ref(), users.len())?,
            Owner::Item => attributes(rule, of_items.as_ref(), items.len())?,
            Owner::Row => categories(rule, &table, &log_rows)?,
        };
        let codes = match rule.of {
            Owner::User => Codes::User(codes),
            Owner::Item => Codes::Item(codes),
            Owner::Row => Codes::Row(codes),
        };
        log.columns.push(Column { name: rule.name.clone(), codes, dictionary });
    }
    if let Some(earlier) = earlier {
        log.earlier = vec![Earlier::default(); users.len()];
        for (key, seen) in earlier {
            if let Ok(user) = users.binary_search(&key) {
                let items = seen.items.iter().map(|&item| index_of(&items, item)).collect();
                log.earlier[user] = Earlier { last_time: seen.last_time, items };
            }
        }
    }
    compare_with_published(descriptor, &mut log);
    Ok(log)
}

/// All rows of the log, the part of the published split of each (empty where there is none), and warnings about files that
/// stand in for others.
fn read_parts(folder: &Folder, source: &Source) -> Result<(Table, Vec<Split>, Vec<String>), DataError> {
    let (mut whole, mut parts, mut warnings): (Option<Table>, Vec<Split>, Vec<String>) = (None, Vec::new(), Vec::new());
    for (part, file) in source.log.files() {
        let path = required(folder, &file)?;
        if let Some(stand_in) = file.stand_in.as_ref().filter(|stand_in| path.ends_with(&stand_in.path)) {
            warnings.push(format!("{} stands in for {}: {}", stand_in.path, file.path, stand_in.warning));
        }
        let table = read_table(&path, &file)?;
        parts.resize(parts.len() + table.rows(), part);
        match &mut whole {
            Some(whole) => whole.append(table),
            None => whole = Some(table),
        }
    }
    if source.log.held_out.is_none() {
        parts.clear();
    }
    let whole = whole.ok_or_else(|| DataError::EmptyFile { file: source.log.file.path.clone().into() })?;
    Ok((whole, parts, warnings))
}

/// Attributes of users or items, and the row of each.
struct Attributes {
    table: Table,
    rows: Vec<Option<usize>>,
}

impl Attributes {
    fn read(folder: &Folder, file: &EntityFile, keys: &[i64]) -> Result<Self, DataError> {
        let table = read_table(&required(folder, &file.file)?, &file.file)?;
        let rows = rows_by_key(keys, table.ints(&file.key)?);
        Ok(Self { table, rows })
    }
}

/// Codes and dictionary of a field of users or items; without a file of them everything is missing.
fn attributes(
    rule: &FieldRule,
    attributes: Option<&Attributes>,
    entities: usize,
) -> Result<(Vec<u32>, Vec<String>), DataError> {
    match attributes {
        Some(Attributes { table, rows }) => categories(rule, table, rows),
        None => Ok((vec![0; entities], vec![MISSING.to_owned()])),
    }
}

fn required(folder: &Folder, file: &crate::descriptor::DelimitedFile) -> Result<PathBuf, DataError> {
    let mut needed = file.clone();
    needed.optional = false;
    Ok(folder.file(&needed)?.unwrap_or_default())
}

/// Labels by row, and the rule in words.
fn labels(config: &DatasetConfig, source: &Source, table: &Table) -> Result<(Vec<u8>, String), DataError> {
    let rule = &source.label;
    let threshold = config.positive_rating.unwrap_or(rule.positive_at_least);
    let labels = table.numbers(&rule.column)?.iter().map(|&value| u8::from(value >= threshold)).collect();
    Ok((labels, format!("{} >= {threshold}", rule.column)))
}

/// Distinct keys, ascending.
fn distinct(keys: impl Iterator<Item = i64>) -> Vec<i64> {
    let mut keys: Vec<i64> = keys.collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Index of a key that is known to be there.
fn index_of(keys: &[i64], key: i64) -> u32 {
    keys.partition_point(|&other| other < key) as u32
}

/// Row of each key in an attribute file, if the file lists it.
fn rows_by_key(keys: &[i64], listed: &[i64]) -> Vec<Option<usize>> {
    let mut rows = vec![None; keys.len()];
    for (row, key) in listed.iter().enumerate() {
        if let Ok(index) = keys.binary_search(key) {
            rows[index] = Some(row);
        }
    }
    rows
}

/// Codes and sorted dictionary of one field over `rows` of `table`.
fn categories(rule: &FieldRule, table: &Table, rows: &[Option<usize>]) -> Result<(Vec<u32>, Vec<String>), DataError> {
    let mut texts = Vec::with_capacity(rows.len());
    for row in rows {
        let Some(row) = *row else {
            texts.push(MISSING.to_owned());
            continue;
        };
        let cells = rule.columns.iter().map(|column| table.text(column, row)).collect::<Result<Vec<_>, _>>()?;
        let cells: Vec<&str> = cells.iter().map(|cell| cell.as_ref()).collect();
        let category = rule.transform.apply(&rule.columns, &cells);
        texts.push(category.map_err(|(cell, remedy)| {
            table.malformed(row, &rule.columns[cell], cells[cell], &format!("{remedy}; correct the line"))
        })?);
    }
    let mut dictionary = texts.clone();
    dictionary.sort_unstable();
    dictionary.dedup();
    let code = |text: &String| dictionary.partition_point(|other| other < text) as u32;
    Ok((texts.iter().map(code).collect(), dictionary))
}

/// Keeps the first of the rows that share user, item and time; `order` follows.
fn drop_repeats(log: &mut Log, order: &mut Vec<u32>) {
    let mut keep = vec![true; log.user.len()];
    for user in log.user_ranges() {
        for tie in runs(&log.time, user) {
            for row in tie.clone() {
                keep[row] = !log.item[tie.start..row].contains(&log.item[row]);
            }
        }
    }
    log.origin.repeated_rows = keep.iter().filter(|kept| !**kept).count();
    retain(&mut log.user, &keep);
    retain(&mut log.item, &keep);
    retain(&mut log.time, &keep);
    retain(order, &keep);
}

fn retain<T>(values: &mut Vec<T>, keep: &[bool]) {
    let mut kept = keep.iter();
    values.retain(|_| kept.next() == Some(&true));
}

/// What a user saw before the log, with source ids.
struct EarlierKeys {
    last_time: i64,
    items: Vec<i64>,
}

fn read_earlier(folder: &Folder, file: &EarlierFile) -> Result<Option<Vec<(i64, EarlierKeys)>>, DataError> {
    let Some(path) = folder.file(&file.file)? else { return Ok(None) };
    read_earlier_file(&path, file).map(Some)
}

fn read_earlier_file(path: &Path, file: &EarlierFile) -> Result<Vec<(i64, EarlierKeys)>, DataError> {
    let table = read_table(path, &file.file)?;
    let (users, times) = (table.ints(&file.user)?, table.ints(&file.last_time)?);
    let mut all = Vec::with_capacity(users.len());
    for (row, (&user, &last_time)) in users.iter().zip(times).enumerate() {
        let text = table.text(&file.items, row)?;
        let items = text.split_whitespace().map(|item| {
            item.parse().map_err(|_| table.malformed(row, &file.items, item, "is not an item id; correct the line"))
        });
        all.push((user, EarlierKeys { last_time, items: items.collect::<Result<_, _>>()? }));
    }
    Ok(all)
}

/// Warns where the counts are not those of the official files.
fn compare_with_published(descriptor: &Descriptor, log: &mut Log) {
    let Some(expected) = &descriptor.expected else { return };
    let mut seen = vec![false; log.columns[0].dictionary.len()];
    log.item.iter().for_each(|&item| seen[item as usize] = true);
    let items = seen.iter().filter(|seen| **seen).count();
    for (what, found, published) in [
        ("rows", log.origin.raw_rows, expected.rows),
        ("users", log.user_keys.len(), expected.users),
        ("items", items, expected.items),
    ] {
        if found as u64 != published {
            log.origin.warnings.push(format!(
                "{}: {found} {what}, but the official files hold {published}: is the download complete?",
                descriptor.name
            ));
        }
    }
}

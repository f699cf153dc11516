//! What a row must hold beside cells of the right types.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::DataError;
use crate::categories::faults;
use crate::item_lists::{Between, first_fault};
use crate::keys::{ABSENT, Keys};
use crate::source_file::ColumnType;
use crate::source_layout::FieldRule;
use crate::table::Table;
use crate::values::Values;

/// What must hold for the rows of a file.
#[derive(Default)]
pub(crate) struct RowChecks<'a> {
    /// Columns that must not be empty.
    pub needed: Vec<&'a str>,
    /// A column with lists of item keys, and the keys' type.
    pub item_list: Option<(&'a str, ColumnType, Between)>,
    /// Fields whose rule must be able to take the row's cells.
    pub fields: Vec<&'a FieldRule>,
    /// Of a file of users or items the column of keys, and the log's: rows of others are not looked at.
    pub of: Option<(&'a str, &'a Keys)>,
}

impl RowChecks<'_> {
    /// What is wrong with `rows` of `table`, by row.
    pub fn faults(&self, table: &Table, rows: Range<usize>) -> Result<BTreeMap<usize, DataError>, DataError> {
        let mut found = BTreeMap::new();
        for column in &self.needed {
            for row in empty_cells(table, column, rows.clone())? {
                let remedy = "is missing, where each row needs it; correct the line";
                found.entry(row).or_insert_with(|| table.malformed(row, column, "", remedy));
            }
        }
        if let Some((column, kind, between)) = self.item_list {
            for row in rows.clone() {
                if let Some(fault) = first_fault(table, column, kind, between, row)? {
                    found.entry(row).or_insert(fault);
                }
            }
        }
        let rows: Vec<usize> = match self.of {
            Some((column, keys)) if !self.fields.is_empty() => {
                let known = keys.indices(table.column(column)?);
                rows.filter(|&row| known[row] != ABSENT).collect()
            }
            _ => rows.collect(),
        };
        for rule in &self.fields {
            for (row, fault) in faults(rule, table, &rows)? {
                found.entry(row).or_insert(fault);
            }
        }
        Ok(found)
    }
}

/// Rows whose cell is empty.
fn empty_cells(table: &Table, column: &str, rows: Range<usize>) -> Result<Vec<usize>, DataError> {
    Ok(match table.column(column)? {
        Values::Text(values) => match values.distinct.get_index_of("") {
            Some(empty) => rows.filter(|&row| values.codes[row] as usize == empty).collect(),
            None => Vec::new(),
        },
        Values::Number(values) => rows.filter(|&row| values[row].is_nan()).collect(),
        Values::Int(_) => Vec::new(),
    })
}

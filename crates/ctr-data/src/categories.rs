//! Categories of one input field.

use std::collections::HashMap;

use indexmap::IndexSet;

use crate::DataError;
use crate::keys::ABSENT;
use crate::source_layout::FieldRule;
use crate::table::Table;
use crate::transform::{self, MISSING, Transform};
use crate::values::Values;

/// Codes and sorted dictionary of a field over `rows` of `table`; [`ABSENT`] in place of a row is a missing value.
///
/// # Errors
/// [`DataError::Malformed`] at a cell that the field's transform cannot take.
pub(crate) fn categories(rule: &FieldRule, table: &Table, rows: &[u32]) -> Result<(Vec<u32>, Vec<String>), DataError> {
    let mut found = IndexSet::new();
    let mut codes = Vec::with_capacity(rows.len());
    // A value that was seen before has its category already.
    let mut known = Known::new(rule, table)?;
    for &row in rows {
        if row == ABSENT {
            codes.push(found.insert_full(MISSING.to_owned()).0 as u32);
            continue;
        }
        let slot = known.slot(row as usize);
        let code = match slot {
            Some(&mut code) if code != ABSENT => code,
            _ => found.insert_full(category(rule, table, row as usize)?).0 as u32,
        };
        if let Some(slot) = slot {
            *slot = code;
        }
        codes.push(code);
    }
    let mut dictionary: Vec<String> = found.iter().cloned().collect();
    dictionary.sort_unstable();
    let sorted = |text: &String| dictionary.partition_point(|other| other < text) as u32;
    let sorted: Vec<u32> = found.iter().map(sorted).collect();
    codes.iter_mut().for_each(|code| *code = sorted[*code as usize]);
    Ok((codes, dictionary))
}

/// The cells in `rows` of `table` that the field's transform cannot take, by row.
pub(crate) fn faults(rule: &FieldRule, table: &Table, rows: &[usize]) -> Result<Vec<(usize, DataError)>, DataError> {
    let mut found = Vec::new();
    let mut known = Known::new(rule, table)?;
    for &row in rows {
        // A value that was seen before and can be taken is known by 0.
        let slot = known.slot(row);
        if slot.as_deref() == Some(&0) {
            continue;
        }
        match category(rule, table, row) {
            Ok(_) => slot.into_iter().for_each(|slot| *slot = 0),
            Err(fault @ DataError::Malformed { .. }) => found.push((row, fault)),
            Err(other) => return Err(other),
        }
    }
    Ok(found)
}

fn category(rule: &FieldRule, table: &Table, row: usize) -> Result<String, DataError> {
    let cells = rule.columns.iter().map(|column| table.text(column, row)).collect::<Result<Vec<_>, _>>()?;
    let cells: Vec<&str> = cells.iter().map(|cell| cell.as_ref()).collect();
    transform::category(rule, &cells).map_err(|(cell, remedy)| {
        table.malformed(row, &rule.columns[cell], cells[cell], &format!("{remedy}; correct the line"))
    })
}

/// The code of each distinct value of a field of one column, once it is known.
enum Known<'t> {
    Text(&'t [u32], Vec<u32>),
    Int(&'t [i64], HashMap<i64, u32>),
    /// A field of several columns, or of fractional numbers.
    Nothing,
}

impl<'t> Known<'t> {
    fn new(rule: &FieldRule, table: &'t Table) -> Result<Known<'t>, DataError> {
        if rule.transform == Transform::Flags || rule.columns.len() != 1 {
            return Ok(Known::Nothing);
        }
        Ok(match table.column(&rule.columns[0])? {
            Values::Text(values) => Known::Text(&values.codes, vec![ABSENT; values.distinct.len()]),
            Values::Int(values) => Known::Int(values, HashMap::new()),
            Values::Number(_) => Known::Nothing,
        })
    }

    /// Where the code of the row's value is kept; [`ABSENT`] is in it until it is known.
    fn slot(&mut self, row: usize) -> Option<&mut u32> {
        match self {
            Known::Text(codes, known) => Some(&mut known[codes[row] as usize]),
            Known::Int(values, known) => Some(known.entry(values[row]).or_insert(ABSENT)),
            Known::Nothing => None,
        }
    }
}

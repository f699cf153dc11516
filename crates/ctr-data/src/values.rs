//! The values of one column.

use indexmap::IndexSet;

use crate::log::retain;
use crate::source_file::ColumnType;

/// The values of one column, by row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Values {
    Int(Vec<i64>),
    /// Not a number where the cell is empty.
    Number(Vec<f64>),
    Text(TextColumn),
}

/// Text whose distinct values are kept once.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct TextColumn {
    /// Index among the distinct values, by row.
    pub codes: Vec<u32>,
    /// In order of first appearance.
    pub distinct: IndexSet<String>,
}

impl TextColumn {
    /// Appends a row.
    pub fn push(&mut self, text: &str) {
        let code = self.distinct.get_index_of(text).unwrap_or_else(|| self.distinct.insert_full(text.to_owned()).0);
        self.codes.push(code as u32);
    }

    /// The text of a row.
    pub fn get(&self, row: usize) -> &str {
        &self.distinct[self.codes[row] as usize]
    }
}

impl Values {
    /// An empty column of the right type.
    pub fn empty(kind: ColumnType) -> Values {
        match kind {
            ColumnType::Int | ColumnType::Bit => Values::Int(Vec::new()),
            ColumnType::Number => Values::Number(Vec::new()),
            ColumnType::Text => Values::Text(TextColumn::default()),
        }
    }

    /// Appends `text` if it is what `kind` asks for.
    ///
    /// # Errors
    /// What was expected instead.
    pub fn push(&mut self, kind: ColumnType, text: &str) -> Result<(), &'static str> {
        match self {
            Values::Int(values) => {
                let value = text.trim().parse().map_err(|_| "is not a whole number")?;
                check_bit(kind, value)?;
                values.push(value);
            }
            // Not a number: absent.
            Values::Number(values) => values.push(match text.trim() {
                "" => f64::NAN,
                text => match text.parse::<f64>() {
                    Ok(value) if value.is_finite() => value,
                    _ => return Err("is not a finite number"),
                },
            }),
            Values::Text(values) => values.push(text),
        }
        Ok(())
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Values::Int(values) => values.len(),
            Values::Number(values) => values.len(),
            Values::Text(values) => values.codes.len(),
        }
    }

    /// Keeps the rows whose flag is set.
    pub fn retain(&mut self, kept: &[bool]) {
        match self {
            Values::Int(values) => retain(values, kept),
            Values::Number(values) => retain(values, kept),
            Values::Text(values) => retain(&mut values.codes, kept),
        }
    }

    /// Drops the rows from `rows` on.
    pub fn truncate(&mut self, rows: usize) {
        match self {
            Values::Int(values) => values.truncate(rows),
            Values::Number(values) => values.truncate(rows),
            Values::Text(values) => values.codes.truncate(rows),
        }
    }
}

/// Refuses anything but 0 and 1 in a column of bits.
pub(crate) fn check_bit(kind: ColumnType, value: i64) -> Result<(), &'static str> {
    if kind == ColumnType::Bit && !(0..=1).contains(&value) { Err("is not 0 or 1") } else { Ok(()) }
}

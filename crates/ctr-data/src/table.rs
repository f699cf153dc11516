//! Columns read from one file.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use crate::DataError;
use crate::descriptor::{ColumnType, DelimitedFile};

/// The values of one column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Values {
    Int(Vec<i64>),
    Number(Vec<f64>),
    Text(Vec<String>),
}

impl Values {
    /// An empty column of the right type.
    pub fn empty(kind: ColumnType) -> Values {
        match kind {
            ColumnType::Int | ColumnType::Bit => Values::Int(Vec::new()),
            ColumnType::Number => Values::Number(Vec::new()),
            ColumnType::Text => Values::Text(Vec::new()),
        }
    }

    /// Appends `text` if it is what `kind` asks for.
    ///
    /// # Errors
    /// What was expected instead.
    pub fn push(&mut self, kind: ColumnType, text: &str) -> Result<(), &'static str> {
        match self {
            Values::Int(values) => {
                let value = text.parse().map_err(|_| "is not a whole number")?;
                check_bit(kind, value)?;
                values.push(value);
            }
            Values::Number(values) => values.push(match text.parse::<f64>() {
                Ok(value) if value.is_finite() => value,
                _ => return Err("is not a finite number"),
            }),
            Values::Text(values) => values.push(text.to_owned()),
        }
        Ok(())
    }

    fn len(&self) -> usize {
        match self {
            Values::Int(values) => values.len(),
            Values::Number(values) => values.len(),
            Values::Text(values) => values.len(),
        }
    }
}

/// Refuses anything but 0 and 1 in a column of bits.
pub(crate) fn check_bit(kind: ColumnType, value: i64) -> Result<(), &'static str> {
    if kind == ColumnType::Bit && !(0..=1).contains(&value) { Err("is not 0 or 1") } else { Ok(()) }
}

/// Named columns of equal length, and where they came from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Table {
    path: PathBuf,
    /// First row and path of every file that was appended.
    appended: Vec<(usize, PathBuf)>,
    header: bool,
    names: Vec<String>,
    columns: Vec<Values>,
}

impl Table {
    /// A table of the columns that `file` asks for, in its order.
    pub fn new(path: &Path, file: &DelimitedFile, columns: Vec<Values>) -> Result<Table, DataError> {
        let names = file.columns.iter().map(|column| column.name.clone()).collect();
        let table = Table { path: path.to_owned(), appended: Vec::new(), header: file.header, names, columns };
        if table.rows() == 0 { Err(DataError::EmptyFile { file: table.path }) } else { Ok(table) }
    }

    /// Adds the rows of a table of the same columns. Messages about a cell of theirs name their own file and line.
    pub fn append(&mut self, other: Table) {
        self.appended.push((self.rows(), other.path));
        for (values, more) in self.columns.iter_mut().zip(other.columns) {
            match (values, more) {
                (Values::Int(values), Values::Int(more)) => values.extend(more),
                (Values::Number(values), Values::Number(more)) => values.extend(more),
                (Values::Text(values), Values::Text(more)) => values.extend(more),
                // Both were read by the same rules.
                _ => {}
            }
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, Values::len)
    }

    fn column(&self, name: &str) -> Result<&Values, DataError> {
        let found = self.names.iter().position(|column| column == name);
        found.map(|i| &self.columns[i]).ok_or_else(|| self.descriptor_error(format!("column '{name}' is not read")))
    }

    fn descriptor_error(&self, message: String) -> DataError {
        DataError::Descriptor { name: self.path.display().to_string(), message }
    }

    /// A column of whole numbers.
    pub fn ints(&self, name: &str) -> Result<&[i64], DataError> {
        match self.column(name)? {
            Values::Int(values) => Ok(values),
            _ => Err(self.descriptor_error(format!("column '{name}' must be of type int"))),
        }
    }

    /// A column of numbers, whole or not.
    pub fn numbers(&self, name: &str) -> Result<Cow<'_, [f64]>, DataError> {
        match self.column(name)? {
            Values::Int(values) => Ok(values.iter().map(|&value| value as f64).collect()),
            Values::Number(values) => Ok(Cow::Borrowed(values)),
            Values::Text(_) => Err(self.descriptor_error(format!("column '{name}' must be a number"))),
        }
    }

    /// The text of one cell.
    pub fn text(&self, name: &str, row: usize) -> Result<Cow<'_, str>, DataError> {
        Ok(match self.column(name)? {
            Values::Int(values) => Cow::Owned(values[row].to_string()),
            Values::Number(values) => Cow::Owned(values[row].to_string()),
            Values::Text(values) => Cow::Borrowed(values[row].as_str()),
        })
    }

    /// The error for a cell whose value cannot be used.
    pub fn malformed(&self, row: usize, column: &str, value: &str, remedy: &str) -> DataError {
        let later = self.appended.iter().rev().find(|(first, _)| row >= *first);
        let (first, path) = later.map_or((0, &self.path), |(first, path)| (*first, path));
        DataError::Malformed {
            file: path.clone(),
            line: (row - first) as u64 + 1 + u64::from(self.header),
            column: column.to_owned(),
            value: value.to_owned(),
            remedy: remedy.to_owned(),
        }
    }
}

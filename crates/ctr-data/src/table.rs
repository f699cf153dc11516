//! Columns read from one or more files of one layout.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use crate::DataError;
use crate::lines::shortened;
use crate::source_file::SourceFile;
use crate::values::{TextColumn, Values};

/// Named columns of equal length, and where each row came from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Table {
    names: Vec<String>,
    columns: Vec<Values>,
    /// Runs of rows on consecutive lines of one file, in row order.
    places: Vec<Place>,
}

/// Rows from `first_row` on stand on the lines from `line` on.
#[derive(Debug, Clone, PartialEq)]
struct Place {
    first_row: usize,
    path: PathBuf,
    line: u64,
}

impl Table {
    /// A table without rows, of the columns that `file` asks for, in its order.
    pub fn empty(file: &SourceFile) -> Table {
        Table {
            names: file.columns.iter().map(|column| column.name.clone()).collect(),
            columns: file.columns.iter().map(|column| Values::empty(column.kind)).collect(),
            places: Vec::new(),
        }
    }

    /// Says where the rows to come stand: `line` of `path`, and the lines after it.
    pub fn continue_at(&mut self, path: &Path, line: u64) {
        let rows = self.rows();
        let follows = |place: &Place| place.path == path && place.line + (rows - place.first_row) as u64 == line;
        if self.places.last().is_some_and(follows) {
            return;
        }
        // Nothing was read at the place before.
        self.places.pop_if(|place| place.first_row == rows);
        self.places.push(Place { first_row: rows, path: path.to_owned(), line });
    }

    /// The columns, for a reader to append to: all of them by as many rows.
    pub fn columns_mut(&mut self) -> &mut [Values] {
        &mut self.columns
    }

    /// Leaves out some rows, which are ascending.
    pub fn remove(&mut self, rows: &[usize]) {
        let mut kept = vec![true; self.rows()];
        rows.iter().for_each(|&row| kept[row] = false);
        self.columns.iter_mut().for_each(|values| values.retain(&kept));
        let mut places: Vec<Place> = Vec::with_capacity(self.places.len() + rows.len());
        let mut removed = 0;
        for (at, place) in self.places.iter().enumerate() {
            let end = self.places.get(at + 1).map_or(kept.len(), |next| next.first_row);
            let mut start = place.first_row;
            while start < end {
                let gap = rows.get(removed).copied().unwrap_or(end).min(end);
                if gap > start {
                    let line = place.line + (start - place.first_row) as u64;
                    places.push(Place { first_row: start - removed, path: place.path.clone(), line });
                }
                removed += usize::from(gap < end);
                start = gap + 1;
            }
        }
        self.places = places;
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, Values::len)
    }

    /// A column by name.
    ///
    /// # Errors
    /// If the descriptor does not read it.
    pub fn column(&self, name: &str) -> Result<&Values, DataError> {
        let found = self.names.iter().position(|column| column == name);
        found.map(|i| &self.columns[i]).ok_or_else(|| self.descriptor_error(format!("column '{name}' is not read")))
    }

    /// A fault of the descriptor that shows in this table.
    pub fn descriptor_error(&self, message: String) -> DataError {
        let name = self.places.first().map_or_else(String::new, |place| place.path.display().to_string());
        DataError::Descriptor { name, message }
    }

    /// A column of whole numbers.
    pub fn ints(&self, name: &str) -> Result<&[i64], DataError> {
        match self.column(name)? {
            Values::Int(values) => Ok(values),
            _ => Err(self.descriptor_error(format!("column '{name}' must be of type int"))),
        }
    }

    /// A column of numbers, whole or not; not a number where a cell is empty.
    pub fn numbers(&self, name: &str) -> Result<Cow<'_, [f64]>, DataError> {
        match self.column(name)? {
            Values::Int(values) => Ok(values.iter().map(|&value| value as f64).collect()),
            Values::Number(values) => Ok(Cow::Borrowed(values)),
            Values::Text(_) => Err(self.descriptor_error(format!("column '{name}' must be a number"))),
        }
    }

    /// A column of text.
    pub fn texts(&self, name: &str) -> Result<&TextColumn, DataError> {
        match self.column(name)? {
            Values::Text(values) => Ok(values),
            _ => Err(self.descriptor_error(format!("column '{name}' must be of type text"))),
        }
    }

    /// The text of one cell.
    pub fn text(&self, name: &str, row: usize) -> Result<Cow<'_, str>, DataError> {
        Ok(match self.column(name)? {
            Values::Int(values) => Cow::Owned(values[row].to_string()),
            Values::Number(values) if values[row].is_nan() => Cow::Borrowed(""),
            Values::Number(values) => Cow::Owned(values[row].to_string()),
            Values::Text(values) => Cow::Borrowed(values.get(row)),
        })
    }

    /// The error for a cell whose value cannot be used.
    pub fn malformed(&self, row: usize, column: &str, value: &str, remedy: &str) -> DataError {
        let after = self.places.partition_point(|place| place.first_row <= row);
        let (file, line) = match self.places.get(after.wrapping_sub(1)) {
            Some(place) => (place.path.clone(), place.line + (row - place.first_row) as u64),
            None => (PathBuf::new(), row as u64 + 1),
        };
        DataError::Malformed {
            file,
            line,
            column: column.to_owned(),
            value: shortened(value),
            remedy: remedy.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_their_lines_when_others_are_removed() {
        let place = |first_row, line| Place { first_row, path: PathBuf::from(format!("file {line}")), line };
        let whole = Table {
            names: vec!["n".to_owned()],
            columns: vec![Values::Int((0..9).collect())],
            places: vec![place(0, 10), place(4, 50), place(5, 90)],
        };
        for rows in [vec![0, 2, 4, 8], vec![], vec![3, 4, 5], (0..9).collect::<Vec<usize>>(), vec![5, 6, 7, 8]] {
            let mut table = whole.clone();
            table.remove(&rows);
            let kept: Vec<i64> = (0..9).filter(|row| !rows.contains(&(*row as usize))).collect();
            assert_eq!(table.ints("n").unwrap(), kept);
            for (row, &number) in kept.iter().enumerate() {
                let place = |table: &Table, row| table.malformed(row, "n", "", "").to_string();
                assert_eq!(place(&table, row), place(&whole, number as usize), "without {rows:?}");
            }
        }
    }
}

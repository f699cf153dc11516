//! Columns of a Parquet file of the user's own.

use std::path::Path;

use polars::prelude::DataType;

use crate::DataError;
use crate::parquet::{fault, read_column};
use crate::source_file::SourceFile;
use crate::values::Values;

/// Appends the columns that `file` asks for.
///
/// # Errors
/// [`DataError::Parquet`]; [`DataError::Malformed`] with the row in place of a line.
pub(crate) fn append(path: &Path, file: &SourceFile, columns: &mut [Values]) -> Result<(), DataError> {
    for (rule, values) in file.columns.iter().zip(columns) {
        let column = read_column(path, &rule.name)?;
        let column = if column.dtype() == &DataType::Boolean { column.cast(&DataType::UInt32) } else { Ok(column) };
        let column = column.map_err(|error| fault("read", path, error))?;
        let text = column.cast(&DataType::String).map_err(|error| fault("read", path, error))?;
        let text = text.str().map_err(|error| fault("read", path, error))?;
        for (row, cell) in text.iter().enumerate() {
            let cell = file.present(cell.unwrap_or_default());
            values.push(rule.kind, cell).map_err(|message| DataError::Malformed {
                file: path.to_owned(),
                line: row as u64 + 1,
                column: rule.name.clone(),
                value: cell.to_owned(),
                remedy: format!("{message}; correct the row"),
            })?;
        }
    }
    Ok(())
}

//! Reading with a polars lazy scan.

use std::path::Path;
use std::sync::Arc;

use polars::prelude::*;

use crate::DataError;
use crate::delimited::{read_header, read_lines};
use crate::descriptor::{ColumnType, DelimitedFile, Encoding};
use crate::table::{Table, Values, check_bit};

/// Reads `file` at `path`.
///
/// # Errors
/// [`DataError::Malformed`] with the first bad line, [`DataError::MissingColumn`], [`DataError::EmptyFile`].
pub(crate) fn read_table(path: &Path, file: &DelimitedFile) -> Result<Table, DataError> {
    if file.encoding == Encoding::Latin1 {
        return read_lines(path, file);
    }
    if file.header {
        read_header(path, file)?;
    }
    // polars is fast but its message names no line, and it stops at quirks that are readable:
    // the line reader then either names the first bad row or reads the file after all.
    match scan(path, file) {
        Some(columns) => Table::new(path, file, columns),
        None => read_lines(path, file),
    }
}

/// The columns asked for, or nothing if any value is missing or unreadable.
fn scan(path: &Path, file: &DelimitedFile) -> Option<Vec<Values>> {
    let separator = file.separator.as_bytes();
    let mut reader = LazyCsvReader::new(PlRefPath::new(path.to_str()?))
        .with_separator(*separator.first()?)
        .with_has_header(file.header)
        .with_quote_char(file.header.then_some(b'"'))
        .with_missing_is_null(false)
        .with_glob(false)
        .with_raise_if_empty(false);
    let typed = file.columns.iter().map(|column| Field::new(column.name.as_str().into(), data_type(column.kind)));
    reader = if file.header {
        let types: Schema = typed.collect();
        reader.with_infer_schema_length(Some(0)).with_dtype_overwrite(Some(Arc::new(types)))
    } else {
        // A separator of n equal bytes, such as `::`, is read as n single ones with empty columns between.
        let blanks = separator.len() - 1;
        let padded = typed.enumerate().flat_map(|(i, field)| {
            let blank = move |k| Field::new(format!("blank {i} {k}").into(), DataType::String);
            (0..if i == 0 { 0 } else { blanks }).map(blank).chain([field]).collect::<Vec<_>>()
        });
        reader.with_schema(Some(Arc::new(padded.collect())))
    };
    let wanted: Vec<Expr> = file.columns.iter().map(|column| col(column.name.as_str())).collect();
    let frame = reader.finish().ok()?.select(wanted).collect().ok()?;
    file.columns.iter().map(|rule| values(frame.column(&rule.name).ok()?, rule.kind)).collect()
}

fn data_type(kind: ColumnType) -> DataType {
    match kind {
        ColumnType::Int | ColumnType::Bit => DataType::Int64,
        ColumnType::Number => DataType::Float64,
        ColumnType::Text => DataType::String,
    }
}

fn values(column: &Column, kind: ColumnType) -> Option<Values> {
    // An empty cell of text is read as empty text, so a missing value is a row that ended early.
    if column.null_count() > 0 {
        return None;
    }
    if kind == ColumnType::Text {
        let text = column.str().ok()?.iter().map(|value| value.unwrap_or_default().to_owned());
        return Some(Values::Text(text.collect()));
    }
    if kind == ColumnType::Number {
        let numbers: Vec<f64> = column.f64().ok()?.into_no_null_iter().collect();
        return numbers.iter().all(|value| value.is_finite()).then_some(Values::Number(numbers));
    }
    let ints: Vec<i64> = column.i64().ok()?.into_no_null_iter().collect();
    ints.iter().all(|&value| check_bit(kind, value).is_ok()).then_some(Values::Int(ints))
}

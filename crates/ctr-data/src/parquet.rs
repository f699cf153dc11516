//! Columns to and from Parquet files.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use polars::prelude::*;

use crate::DataError;

/// Rows converted at a time, so that a large dataset is never held twice.
const BLOCK_ROWS: usize = 1 << 19;

/// Builds the columns of rows `range`.
pub(crate) type Block<'a> = &'a dyn Fn(std::ops::Range<usize>) -> Vec<Column>;

/// Writes `rows` rows, block by block, to `path`.
pub(crate) fn write(path: &Path, rows: usize, block: Block) -> Result<(), DataError> {
    let fault = |error: PolarsError| fault("write", path, error);
    let frame = |range: std::ops::Range<usize>| DataFrame::new(range.len(), block(range)).map_err(fault);
    let file = File::create(path).map_err(DataError::io("write", path))?;
    let mut buffer = BufWriter::new(file);
    {
        let schema = frame(0..0)?.schema().clone();
        let writer = ParquetWriter::new(&mut buffer).with_statistics(StatisticsOptions::empty());
        let mut batches = writer.batched(&schema).map_err(fault)?;
        for start in (0..rows).step_by(BLOCK_ROWS) {
            batches.write_batch(&frame(start..rows.min(start + BLOCK_ROWS))?).map_err(fault)?;
        }
        batches.finish().map_err(fault)?;
    }
    buffer.flush().map_err(DataError::io("write", path))
}

/// Reads one column of `path`.
pub(crate) fn read_column(path: &Path, name: &str) -> Result<Column, DataError> {
    let file = File::open(path).map_err(DataError::io("read", path))?;
    let reader = ParquetReader::new(file).with_columns(Some(vec![name.to_owned()]));
    let frame = reader.finish().map_err(|error| fault("read", path, error))?;
    frame.column(name).cloned().map_err(|error| fault("read", path, error))
}

/// A failure on `path`, with what polars said.
pub(crate) fn fault(action: &'static str, path: &Path, error: PolarsError) -> DataError {
    DataError::Parquet { action, path: path.to_owned(), message: error.to_string() }
}

/// The `u32` values of one column.
pub(crate) fn read_u32(path: &Path, name: &str) -> Result<Vec<u32>, DataError> {
    let column = read_column(path, name)?;
    Ok(column.u32().map_err(|error| fault("read", path, error))?.into_no_null_iter().collect())
}

/// The `i64` values of one column.
pub(crate) fn read_i64(path: &Path, name: &str) -> Result<Vec<i64>, DataError> {
    let column = read_column(path, name)?;
    Ok(column.i64().map_err(|error| fault("read", path, error))?.into_no_null_iter().collect())
}

/// The `f32` values of one column.
pub(crate) fn read_f32(path: &Path, name: &str) -> Result<Vec<f32>, DataError> {
    let column = read_column(path, name)?;
    Ok(column.f32().map_err(|error| fault("read", path, error))?.into_no_null_iter().collect())
}

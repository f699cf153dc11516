//! Columns of a Parquet file of the user's own.

use std::borrow::Cow;
use std::fs::File;
use std::path::Path;

use polars::prelude::*;

use crate::DataError;
use crate::bad_rows::BadRows;
use crate::lines::push_cells;
use crate::parquet::fault;
use crate::read_table::AfterBlock;
use crate::source_file::SourceFile;
use crate::table::Table;

/// Rows read at a time, so that memory does not grow with the file.
const BLOCK_ROWS: usize = 1 << 18;

/// Appends the columns that `file` asks for, block by block, with `after_block` after each; in messages rows take the place of lines.
///
/// # Errors
/// [`DataError::Parquet`]; [`DataError::Malformed`] with the first bad row.
pub(crate) fn append(
    table: &mut Table,
    path: &Path,
    file: &SourceFile,
    bad_rows: &mut BadRows,
    after_block: AfterBlock,
) -> Result<(), DataError> {
    let fault = |error: PolarsError| fault("read", path, error);
    let reader = || File::open(path).map(ParquetReader::new).map_err(DataError::io("read", path));
    let names: Vec<String> = file.columns.iter().map(|column| column.name.clone()).collect();
    let rows = reader()?.num_rows().map_err(fault)?;
    for start in (0..rows).step_by(BLOCK_ROWS) {
        let block = reader()?.with_columns(Some(names.clone())).with_slice(Some((start, BLOCK_ROWS)));
        let block = block.finish().map_err(fault)?;
        let texts = names.iter().map(|name| text_of(block.column(name)?)).collect::<PolarsResult<Vec<Column>>>();
        let texts = texts.map_err(fault)?;
        let texts = texts.iter().map(|column| column.str()).collect::<PolarsResult<Vec<_>>>().map_err(fault)?;
        let mut cells: Vec<_> = texts.iter().map(|text| text.iter()).collect();
        for row in 0..block.height() {
            let cells: Vec<Cow<str>> =
                cells.iter_mut().map(|column| Cow::Borrowed(column.next().flatten().unwrap_or_default())).collect();
            let line = (start + row) as u64 + 1;
            table.continue_at(path, line);
            if let Err(fault) = push_cells(&cells, file, table.columns_mut()) {
                bad_rows.skip(fault.at(path, line))?;
            }
        }
        after_block(table, bad_rows)?;
    }
    Ok(())
}

/// As text; truth values are 0 and 1.
fn text_of(column: &Column) -> PolarsResult<Column> {
    match column.dtype() {
        DataType::Boolean => column.cast(&DataType::UInt32)?.cast(&DataType::String),
        _ => column.cast(&DataType::String),
    }
}

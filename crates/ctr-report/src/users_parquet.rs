//! `users.parquet` and `timings.parquet`.
//!
//! The seconds of a user stand in a file of their own: they differ from run to run, and `users.parquet` must not.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use polars::prelude::*;

use crate::atomic_file::write_with;
use crate::{ReportError, UserBlock, UserRow, UserRows};

/// Rows per row group, at least; a row group holds whole blocks.
const ROW_GROUP_ROWS: usize = 1 << 17;

/// Writes `users.parquet`: who, what, and the metrics before and after. Equal rows give equal bytes.
///
/// # Errors
/// A file that cannot be written.
pub fn write_users(path: &Path, users: &UserRows) -> Result<(), ReportError> {
    write_parquet(path, users, |blocks| {
        let mut columns = key_columns(users, blocks);
        columns.extend([
            column("local_samples", blocks, |row| row.local_samples),
            column("judged_samples", blocks, |row| row.judged_samples),
            column("local_ctr", blocks, |row| row.local_ctr),
            optional_column("target_ctr", blocks, |row| row.target_ctr),
            column("drift", blocks, |row| users.drift(row)),
            column("auc_cloud", blocks, |row| row.auc_cloud),
            column("auc", blocks, |row| row.auc),
            column("logloss_cloud", blocks, |row| row.logloss_cloud),
            column("logloss", blocks, |row| row.logloss),
        ]);
        columns
    })
}

/// Writes `timings.parquet`: the seconds of each user.
///
/// # Errors
/// A file that cannot be written.
pub fn write_timings(path: &Path, users: &UserRows) -> Result<(), ReportError> {
    write_parquet(path, users, |blocks| {
        let mut columns = key_columns(users, blocks);
        columns.push(column("seconds", blocks, |row| row.seconds));
        columns
    })
}

fn key_columns(users: &UserRows, blocks: &[UserBlock]) -> Vec<Column> {
    let text = |name: &str, of: fn(&UserBlock) -> &str| {
        let values: Vec<&str> =
            blocks.iter().flat_map(|block| std::iter::repeat_n(of(block), block.rows.len())).collect();
        Column::new(name.into(), values)
    };
    let keys: Vec<&str> = rows(blocks).map(|row| users.key(row)).collect();
    let seeds: Vec<u64> = blocks.iter().flat_map(|block| std::iter::repeat_n(block.seed, block.rows.len())).collect();
    vec![
        Column::new("user".into(), keys),
        text("model", |block| &block.model),
        text("protocol", |block| &block.protocol),
        text("method", |block| &block.method),
        Column::new("seed".into(), seeds),
    ]
}

fn column<T>(name: &str, blocks: &[UserBlock], of: impl Fn(&UserRow) -> T) -> Column
where
    Series: NamedFrom<Vec<T>, [T]>,
{
    Series::new(name.into(), rows(blocks).map(of).collect::<Vec<T>>()).into()
}

fn optional_column(name: &str, blocks: &[UserBlock], of: impl Fn(&UserRow) -> Option<f64>) -> Column {
    Series::new(name.into(), rows(blocks).map(of).collect::<Vec<Option<f64>>>()).into()
}

fn rows(blocks: &[UserBlock]) -> impl Iterator<Item = &UserRow> {
    blocks.iter().flat_map(|block| &block.rows)
}

/// Writes the blocks group by group, so that the columns of one row group at a time are in memory.
fn write_parquet(
    path: &Path,
    users: &UserRows,
    columns_of: impl Fn(&[UserBlock]) -> Vec<Column>,
) -> Result<(), ReportError> {
    write_with(path, |temporary| {
        let failed = |error: PolarsError| ReportError::Parquet { path: path.to_owned(), message: error.to_string() };
        let mut file = BufWriter::new(File::create(temporary).map_err(ReportError::io("create", temporary))?);
        let schema = frame(columns_of(&[])).map_err(failed)?.schema().clone();
        let mut writer = ParquetWriter::new(&mut file).set_parallel(false).batched(&schema).map_err(failed)?;
        for blocks in row_groups(users.blocks()) {
            writer.write_batch(&frame(columns_of(blocks)).map_err(failed)?).map_err(failed)?;
        }
        writer.finish().map_err(failed)?;
        drop(writer);
        file.flush().map_err(ReportError::io("write", temporary))
    })
}

fn frame(columns: Vec<Column>) -> PolarsResult<DataFrame> {
    DataFrame::new_infer_height(columns)
}

/// Cuts the blocks into runs of at least [`ROW_GROUP_ROWS`] rows, the last one excepted.
fn row_groups(blocks: &[UserBlock]) -> Vec<&[UserBlock]> {
    let mut groups = Vec::new();
    let (mut start, mut rows) = (0, 0);
    for (index, block) in blocks.iter().enumerate() {
        rows += block.rows.len();
        if rows >= ROW_GROUP_ROWS {
            groups.push(&blocks[start..=index]);
            (start, rows) = (index + 1, 0);
        }
    }
    if rows > 0 {
        groups.push(&blocks[start..]);
    }
    groups
}

//! A file of any format to a table.

use std::path::Path;

use crate::DataError;
use crate::bad_rows::BadRows;
use crate::blocks::Blocks;
use crate::lines::{self, Fault, Layout};
use crate::row_checks::RowChecks;
use crate::source_file::{Encoding, Format, SourceFile};
use crate::table::Table;
use crate::{parquet_source, quick_parse};

/// Reads the file at `path`, which is laid out as `file` says; rows that fail `checks` are bad lines.
///
/// # Errors
/// [`DataError::Malformed`] with the first bad line, [`DataError::TooManyBadRows`], [`DataError::MissingColumn`],
/// [`DataError::EmptyFile`].
pub(crate) fn read_table(
    path: &Path,
    file: &SourceFile,
    checks: &RowChecks,
    bad_rows: &mut BadRows,
) -> Result<Table, DataError> {
    let mut table = Table::empty(file);
    append_file(&mut table, path, file, checks, bad_rows)?;
    Ok(table)
}

/// Appends the rows of one more file to a table of the same columns; errors as [`read_table`].
pub(crate) fn append_file(
    table: &mut Table,
    path: &Path,
    file: &SourceFile,
    checks: &RowChecks,
    bad_rows: &mut BadRows,
) -> Result<(), DataError> {
    let before = table.rows();
    append_blocks(table, path, file, bad_rows, &mut |_, _| Ok(()))?;
    leave_out(table, before, checks, bad_rows)?;
    bad_rows.end_file(path, table.rows() - before)?;
    if table.rows() == before {
        return Err(DataError::EmptyFile { file: path.to_owned() });
    }
    Ok(())
}

/// Leaves out the rows from `first` on that fail `checks`.
fn leave_out(table: &mut Table, first: usize, checks: &RowChecks, bad_rows: &mut BadRows) -> Result<(), DataError> {
    let faults = checks.faults(table, first..table.rows())?;
    if !faults.is_empty() {
        let rows: Vec<usize> = faults.keys().copied().collect();
        faults.into_values().try_for_each(|fault| bad_rows.skip(fault))?;
        table.remove(&rows);
    }
    Ok(())
}

/// Hands the rows of a file over block by block, so that the whole is never held; errors as [`read_table`].
pub(crate) fn stream_file(
    path: &Path,
    file: &SourceFile,
    checks: &RowChecks,
    bad_rows: &mut BadRows,
    consume: &mut dyn FnMut(&Table) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let (mut table, mut rows) = (Table::empty(file), 0);
    append_blocks(&mut table, path, file, bad_rows, &mut |block, bad_rows| {
        leave_out(block, 0, checks, bad_rows)?;
        rows += block.rows();
        consume(block)?;
        *block = Table::empty(file);
        Ok(())
    })?;
    bad_rows.end_file(path, rows)?;
    if rows == 0 { Err(DataError::EmptyFile { file: path.to_owned() }) } else { Ok(()) }
}

/// What happens after each block that was appended to a table.
pub(crate) type AfterBlock<'a> = &'a mut dyn FnMut(&mut Table, &mut BadRows) -> Result<(), DataError>;

fn append_blocks(
    table: &mut Table,
    path: &Path,
    file: &SourceFile,
    bad_rows: &mut BadRows,
    after_block: AfterBlock,
) -> Result<(), DataError> {
    match file.format {
        Format::Parquet => parquet_source::append(table, path, file, bad_rows, after_block),
        _ => append_text(table, path, file, bad_rows, after_block),
    }
}

fn append_text(
    table: &mut Table,
    path: &Path,
    file: &SourceFile,
    bad_rows: &mut BadRows,
    after_block: AfterBlock,
) -> Result<(), DataError> {
    let mut blocks = Blocks::open(path)?;
    let mut layout = Layout::without_header(file);
    let mut line = 1;
    while let Some(block) = blocks.next()? {
        let block = with_plain_line_ends(decode(block, file.encoding));
        let mut block: &[u8] = &block;
        if line == 1 && file.header && file.format == Format::Delimited {
            let (header, rest) =
                block.split_at(block.iter().position(|&byte| byte == b'\n').map_or(block.len(), |end| end + 1));
            layout = Layout::from_header(path, file, &String::from_utf8_lossy(without_line_end(header)))?;
            (block, line) = (rest, 2);
        }
        let ends = block.iter().filter(|&&byte| byte == b'\n').count();
        let lines = ends + usize::from(!block.is_empty() && !block.ends_with(b"\n"));
        table.continue_at(path, line);
        let is_parsed =
            file.format == Format::Delimited && quick_parse::append(block, lines, file, &layout, table.columns_mut());
        if !is_parsed {
            append_lines(table, path, line, block, file, &layout, bad_rows)?;
        }
        line += lines as u64;
        after_block(table, bad_rows)?;
    }
    Ok(())
}

/// Line by line. Blank lines at the end of a block are no rows; elsewhere they are lines that cannot be read.
fn append_lines(
    table: &mut Table,
    path: &Path,
    first: u64,
    block: &[u8],
    file: &SourceFile,
    layout: &Layout,
    bad_rows: &mut BadRows,
) -> Result<(), DataError> {
    let last = block.iter().rposition(|&byte| byte != b'\n');
    let end = last.map_or(0, |last| (last + 2).min(block.len()));
    for (line, bytes) in (first..).zip(block[..end].split_inclusive(|&byte| byte == b'\n')) {
        let bytes = without_line_end(bytes);
        table.continue_at(path, line);
        let pushed = match std::str::from_utf8(bytes) {
            Ok(text) => lines::push(text, file, layout, table.columns_mut()),
            Err(_) => Err(Fault::of_line(&String::from_utf8_lossy(bytes), "is not valid UTF-8")),
        };
        if let Err(fault) = pushed {
            bad_rows.skip(fault.at(path, line))?;
        }
    }
    Ok(())
}

fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// To UTF-8. Every ISO-8859-1 byte is the code point of the same number.
fn decode(block: Vec<u8>, encoding: Encoding) -> Vec<u8> {
    if encoding == Encoding::Latin1 && !block.is_ascii() {
        return block.iter().map(|&byte| char::from(byte)).collect::<String>().into_bytes();
    }
    block
}

/// Line ends of Windows become plain ones.
fn with_plain_line_ends(block: Vec<u8>) -> Vec<u8> {
    if !block.contains(&b'\r') {
        return block;
    }
    let mut plain = Vec::with_capacity(block.len());
    for line in block.split_inclusive(|&byte| byte == b'\n') {
        plain.extend_from_slice(without_line_end(line));
        if line.ends_with(b"\n") {
            plain.push(b'\n');
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latin1_bytes_become_their_code_points() {
        assert_eq!(decode(b"Caf\xe9".to_vec(), Encoding::Latin1), "Café".as_bytes());
        // The two bytes of UTF-8 'é' are two characters in ISO-8859-1.
        assert_eq!(decode("é".into(), Encoding::Latin1), "Ã©".as_bytes());
        assert_eq!(decode(b"Caf\xe9".to_vec(), Encoding::Utf8), b"Caf\xe9");
    }
}

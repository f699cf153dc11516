//! A block of separated cells, parsed by polars.

use std::io::Cursor;
use std::sync::Arc;

use polars::prelude::*;

use crate::lines::Layout;
use crate::source_file::{ColumnRule, ColumnType, SourceFile};
use crate::values::{Values, check_bit};

/// Appends the rows of `block` to `columns` and returns true; false, and nothing appended, if any line needs a closer look:
/// polars is fast, but it names no line, drops what a line has too much, and fills up what it lacks.
pub(crate) fn append(block: &[u8], lines: usize, file: &SourceFile, layout: &Layout, columns: &mut [Values]) -> bool {
    if !is_regular(block, &file.separator, layout.width) {
        return false;
    }
    let Some(frame) = parse(block, file, layout) else { return false };
    if frame.height() != lines {
        return false;
    }
    let column = |rule: &ColumnRule| frame.column(&rule.name).ok().filter(|column| is_sound(column, rule.kind));
    let Some(read) = file.columns.iter().map(column).collect::<Option<Vec<&Column>>>() else { return false };
    for (values, column) in columns.iter_mut().zip(read) {
        // Sound columns have the type that was asked for.
        match values {
            Values::Int(values) => values.extend(column.i64().into_iter().flat_map(|c| c.into_no_null_iter())),
            Values::Number(values) => values.extend(column.f64().into_iter().flat_map(|c| c.into_no_null_iter())),
            Values::Text(values) => {
                let cells = column.str().into_iter().flat_map(|c| c.iter());
                cells.for_each(|cell| values.push(file.present(cell.unwrap_or_default())));
            }
        }
    }
    true
}

/// Whether every line has `width` cells whichever way they are counted: as many separators as stand between them, no byte of a
/// separator elsewhere, nothing quoted, no blank line.
fn is_regular(block: &[u8], separator: &str, width: usize) -> bool {
    let separator = separator.as_bytes();
    let byte = separator[0];
    if separator.iter().any(|&other| other != byte) || (separator == b"," && block.contains(&b'"')) {
        return false;
    }
    block.split_inclusive(|&byte| byte == b'\n').all(|line| {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let found = line.iter().filter(|&&other| other == byte).count();
        // Of `a:b::c` the first colon is text.
        let is_whole = |run: &[u8]| run.is_empty() || run.len().is_multiple_of(separator.len());
        let are_whole = separator.len() == 1 || line.split(|&other| other != byte).all(is_whole);
        !line.is_empty() && found == separator.len() * (width - 1) && are_whole
    })
}

fn parse(block: &[u8], file: &SourceFile, layout: &Layout) -> Option<DataFrame> {
    let separator = file.separator.as_bytes();
    // A separator of n equal bytes, such as `::`, is read as n single ones with empty columns between.
    let blanks = separator.len() - 1;
    let mut fields = Vec::new();
    for position in 0..layout.width {
        for blank in 0..if position == 0 { 0 } else { blanks } {
            fields.push(Field::new(format!("(blank) {position} {blank}").into(), DataType::String));
        }
        let wanted = layout.positions.iter().position(|&at| at == position).map(|at| &file.columns[at]);
        fields.push(match wanted {
            Some(rule) => Field::new(rule.name.as_str().into(), data_type(rule.kind)),
            None => Field::new(format!("(not read) {position}").into(), DataType::String),
        });
    }
    let names: Arc<[PlSmallStr]> = file.columns.iter().map(|column| column.name.as_str().into()).collect();
    let parsing = CsvParseOptions::default()
        .with_separator(*separator.first()?)
        .with_quote_char(None)
        .with_missing_is_null(false);
    let reader = CsvReadOptions::default()
        .with_has_header(false)
        .with_schema(Some(Arc::new(fields.into_iter().collect())))
        .with_columns(Some(names))
        .with_raise_if_empty(false)
        .with_parse_options(parsing)
        .into_reader_with_file_handle(Cursor::new(block));
    reader.finish().ok()
}

fn data_type(kind: ColumnType) -> DataType {
    match kind {
        ColumnType::Int | ColumnType::Bit => DataType::Int64,
        ColumnType::Number => DataType::Float64,
        ColumnType::Text => DataType::String,
    }
}

/// Whether every value is there and admissible.
fn is_sound(column: &Column, kind: ColumnType) -> bool {
    column.null_count() == 0
        && match kind {
            ColumnType::Text => column.str().is_ok(),
            ColumnType::Number => column.f64().is_ok_and(|values| values.into_no_null_iter().all(f64::is_finite)),
            ColumnType::Int => column.i64().is_ok(),
            ColumnType::Bit => {
                column.i64().is_ok_and(|values| values.into_no_null_iter().all(|value| check_bit(kind, value).is_ok()))
            }
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_that_can_be_read_in_one_way_are_regular() {
        for (lines, separator, width) in
            [("1,2,3\n4,,6\n", ",", 3), ("1::a b::c\n", "::", 3), ("1\t\"2\n", "\t", 2), ("7", ",", 1)]
        {
            assert!(is_regular(lines.as_bytes(), separator, width), "{lines:?}");
        }
        for (lines, separator, width) in [
            ("1,2\n", ",", 3),
            ("1,2,3,4\n", ",", 3),
            ("1,\"2,3\",4\n", ",", 3),
            ("1,2,3\n\n", ",", 3),
            ("\n", ",", 1),
            ("260::Star Wars: Episode IV (1977)::Action\n", "::", 3),
            ("1:2::3:4\n", "::", 3),
            ("1, 2\n", ", ", 2),
        ] {
            assert!(!is_regular(lines.as_bytes(), separator, width), "{lines:?}");
        }
    }
}

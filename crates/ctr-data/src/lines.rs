//! One line of a text file to the cells of the columns asked for.

use std::borrow::Cow;
use std::path::Path;

use crate::DataError;
use crate::json_lines::{self, LIST_SEPARATOR};
use crate::source_file::{ColumnType, Format, SourceFile};
use crate::values::Values;

/// Why a line cannot be read.
#[derive(Debug, PartialEq)]
pub(crate) struct Fault {
    pub column: String,
    pub value: String,
    pub message: String,
}

/// In place of a column's name where the line as a whole is at fault.
pub(crate) const WHOLE_LINE: &str = "(whole line)";

impl Fault {
    /// A line that is at fault as a whole.
    pub fn of_line(line: &str, message: impl Into<String>) -> Fault {
        Fault { column: WHOLE_LINE.to_owned(), value: line.to_owned(), message: message.into() }
    }

    /// The same with its place.
    pub fn at(self, path: &Path, line: u64) -> DataError {
        DataError::Malformed {
            file: path.to_owned(),
            line,
            column: self.column,
            value: shortened(&self.value),
            remedy: format!(
                "{}; correct the line, get the file again, or leave such lines out with --bad-rows skip",
                self.message
            ),
        }
    }
}

/// A review may be longer than any screen, and a file that is no text may hold what a terminal obeys.
pub(crate) fn shortened(value: &str) -> String {
    let printable = |c: char| if c.is_control() && c != '\t' { char::REPLACEMENT_CHARACTER } else { c };
    let mut characters = value.chars().map(printable);
    let shown: String = characters.by_ref().take(LONGEST_VALUE).collect();
    if characters.next().is_some() { shown + " …" } else { shown }
}

/// Characters of a value that a message shows.
const LONGEST_VALUE: usize = 300;

/// Where the columns asked for stand in a line of separated cells.
pub(crate) struct Layout {
    pub width: usize,
    pub positions: Vec<usize>,
}

impl Layout {
    /// Without a header the columns asked for are all there are.
    pub fn without_header(file: &SourceFile) -> Layout {
        Layout { width: file.columns.len(), positions: (0..file.columns.len()).collect() }
    }

    /// From the names in the first line.
    ///
    /// # Errors
    /// [`DataError::MissingColumn`] if a column asked for is not among them.
    pub fn from_header(path: &Path, file: &SourceFile, header: &str) -> Result<Layout, DataError> {
        let cells = split(header, &file.separator).unwrap_or_default();
        let find = |name: &String| {
            cells.iter().position(|cell| cell == name).ok_or_else(|| DataError::MissingColumn {
                file: path.to_owned(),
                column: name.clone(),
                found: shortened(&cells.join(", ")),
            })
        };
        let positions = file.columns.iter().map(|column| find(&column.name)).collect::<Result<_, _>>()?;
        Ok(Layout { width: cells.len(), positions })
    }
}

/// Appends the cells of `line` to `columns`, or nothing.
pub(crate) fn push(line: &str, file: &SourceFile, layout: &Layout, columns: &mut [Values]) -> Result<(), Fault> {
    let cells = match file.format {
        Format::Delimited => delimited(line, file, layout)?,
        Format::Libfm => libfm(line, layout)?,
        Format::JsonLines => json_lines::json(line, &file.columns)?,
        Format::PythonLines => json_lines::python(line, &file.columns)?,
        Format::Parquet => return Err(Fault::of_line(line, "is part of a Parquet file, which has no lines")),
    };
    push_cells(&cells, file, columns)
}

/// Appends a row of `cells`, which are in the order of the columns asked for, or nothing.
pub(crate) fn push_cells(cells: &[Cow<str>], file: &SourceFile, columns: &mut [Values]) -> Result<(), Fault> {
    let rows = columns.first().map_or(0, Values::len);
    for (at, cell) in cells.iter().enumerate() {
        let (rule, cell) = (&file.columns[at], file.present(cell));
        // A list of one entry is that entry, but where a list is asked for.
        let cell = if rule.kind == ColumnType::Text { cell } else { cell.trim_end_matches(LIST_SEPARATOR) };
        if let Err(message) = columns[at].push(rule.kind, cell) {
            columns.iter_mut().for_each(|values| values.truncate(rows));
            return Err(Fault { column: rule.name.clone(), value: cell.to_owned(), message: message.to_owned() });
        }
    }
    Ok(())
}

fn delimited<'l>(line: &'l str, file: &SourceFile, layout: &Layout) -> Result<Vec<Cow<'l, str>>, Fault> {
    let Some(cells) = split(line, &file.separator) else {
        return Err(Fault::of_line(line, "has a quote that does not end; a row is a line, also within quotes"));
    };
    if cells.len() != layout.width {
        return Err(Fault::of_line(line, format!("has {} columns instead of {}", cells.len(), layout.width)));
    }
    Ok(layout.positions.iter().map(|&position| cells[position].clone()).collect())
}

/// `label id:1 id:1 …`: the label, then the ids by position.
fn libfm<'l>(line: &'l str, layout: &Layout) -> Result<Vec<Cow<'l, str>>, Fault> {
    let cells: Vec<&str> = line.split_ascii_whitespace().collect();
    if cells.len() != layout.width {
        return Err(Fault::of_line(line, format!("has {} columns instead of {}", cells.len(), layout.width)));
    }
    let cell = |(position, cell): (usize, &&'l str)| match cell.split_once(':') {
        Some((id, "1")) if position > 0 => Ok(Cow::Borrowed(id)),
        None if position == 0 => Ok(Cow::Borrowed(*cell)),
        _ => Err(Fault::of_line(line, format!("has '{cell}' where an id with the value 1 is expected, as in 57:1"))),
    };
    cells.iter().enumerate().map(cell).collect()
}

/// Cells of a line; a comma may be quoted, as in `"[100,1k)"`, and a quote inside quotes is doubled. A quote that does not start
/// its cell is one of its characters. Nothing if a quoted cell does not end.
fn split<'a>(line: &'a str, separator: &str) -> Option<Vec<Cow<'a, str>>> {
    if separator != "," || !line.contains('"') {
        return Some(line.split(separator).map(Cow::Borrowed).collect());
    }
    let mut cells = vec![String::new()];
    let mut quoted = false;
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        let last = cells.len() - 1;
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                cells[last].push('"');
            }
            '"' if quoted => quoted = false,
            '"' if cells[last].is_empty() => quoted = true,
            ',' if !quoted => cells.push(String::new()),
            _ => cells[last].push(character),
        }
    }
    (!quoted).then(|| cells.into_iter().map(Cow::Owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_commas_and_doubled_quotes_stay_in_their_cell() {
        assert_eq!(split("1,\"[100,1k)\",\"a\"\"b\",", ",").unwrap(), ["1", "[100,1k)", "a\"b", ""]);
        assert_eq!(split("1::Café::x", "::").unwrap(), ["1", "Café", "x"]);
        assert_eq!(split("5\" pipe,TV 40\" black", ",").unwrap(), ["5\" pipe", "TV 40\" black"]);
        assert_eq!(split("1,\"zz", ","), None);
    }

    #[test]
    fn messages_show_the_start_of_a_value_without_control_characters() {
        assert_eq!(shortened("12a\u{1b}[31m"), "12a\u{fffd}[31m");
        assert_eq!(shortened(&"é".repeat(300)), "é".repeat(300));
        assert_eq!(shortened(&"é".repeat(301)), "é".repeat(300) + " …");
    }

    #[test]
    fn libfm_lines_give_their_ids() {
        let layout = Layout { width: 3, positions: vec![0, 1, 2] };
        assert_eq!(libfm("-1 451:1 4149:1", &layout).unwrap(), ["-1", "451", "4149"]);
        let message = libfm("1 451:0.5 4149:1", &layout).unwrap_err().message;
        assert!(message.contains("'451:0.5'"), "{message}");
        assert!(libfm("1 451:1", &layout).unwrap_err().message.contains("has 2 columns instead of 3"));
    }
}

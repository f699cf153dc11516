//! Line-by-line reading: for ISO-8859-1 files, and to find the bad row where the fast reader fails.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use crate::DataError;
use crate::descriptor::{DelimitedFile, Encoding};
use crate::table::{Table, Values};

const REMEDY: &str = "; correct the line or download the file again";

/// Reads `file` at `path`, line by line.
///
/// # Errors
/// [`DataError::Malformed`] at the first line with a wrong number of columns or an unreadable value.
pub(crate) fn read_lines(path: &Path, file: &DelimitedFile) -> Result<Table, DataError> {
    let mut lines = BufReader::new(File::open(path).map_err(DataError::io("read", path))?);
    let mut columns: Vec<Values> = file.columns.iter().map(|column| Values::empty(column.kind)).collect();
    let mut layout = Layout::without_header(file);
    let mut buffer = Vec::new();
    for line in 1u64.. {
        buffer.clear();
        if lines.read_until(b'\n', &mut buffer).map_err(DataError::io("read", path))? == 0 {
            break;
        }
        let fault = |column: &str, value: &str, message: &str| DataError::Malformed {
            file: path.to_owned(),
            line,
            column: column.to_owned(),
            value: value.to_owned(),
            remedy: format!("{message}{REMEDY}"),
        };
        let text = decode(trim_end_of_line(&buffer), file.encoding)
            .map_err(|lossy| fault("(whole line)", &lossy, "is not valid UTF-8"))?;
        let cells = split(&text, &file.separator);
        if line == 1 && file.header {
            layout = Layout::from_header(path, file, &cells)?;
            continue;
        }
        if cells.len() != layout.width {
            let message = format!("has {} columns instead of {}", cells.len(), layout.width);
            return Err(fault("(whole line)", &text, &message));
        }
        for ((rule, values), &at) in file.columns.iter().zip(&mut columns).zip(&layout.positions) {
            let cell = &cells[at];
            values.push(rule.kind, cell).map_err(|message| fault(&rule.name, cell, message))?;
        }
    }
    Table::new(path, file, columns)
}

/// Checks that the header of `file` has every column asked for; returns all its columns.
pub(crate) fn read_header(path: &Path, file: &DelimitedFile) -> Result<Vec<String>, DataError> {
    let mut buffer = Vec::new();
    let opened = File::open(path).map_err(DataError::io("read", path))?;
    BufReader::new(opened).read_until(b'\n', &mut buffer).map_err(DataError::io("read", path))?;
    let text = String::from_utf8_lossy(trim_end_of_line(&buffer)).into_owned();
    let cells = split(&text, &file.separator);
    Layout::from_header(path, file, &cells)?;
    Ok(cells.into_iter().map(Cow::into_owned).collect())
}

/// Where the columns asked for stand in a line.
struct Layout {
    width: usize,
    positions: Vec<usize>,
}

impl Layout {
    fn without_header(file: &DelimitedFile) -> Layout {
        Layout { width: file.columns.len(), positions: (0..file.columns.len()).collect() }
    }

    fn from_header(path: &Path, file: &DelimitedFile, cells: &[Cow<str>]) -> Result<Layout, DataError> {
        let find = |name: &String| {
            cells.iter().position(|cell| cell == name).ok_or_else(|| DataError::MissingColumn {
                file: path.to_owned(),
                column: name.clone(),
                found: cells.join(", "),
            })
        };
        let positions = file.columns.iter().map(|column| find(&column.name)).collect::<Result<_, _>>()?;
        Ok(Layout { width: cells.len(), positions })
    }
}

fn trim_end_of_line(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Bytes to text; the error is the text with its broken parts replaced.
fn decode(bytes: &[u8], encoding: Encoding) -> Result<Cow<'_, str>, String> {
    match std::str::from_utf8(bytes) {
        Ok(text) if encoding != Encoding::Latin1 || text.is_ascii() => Ok(Cow::Borrowed(text)),
        // Every ISO-8859-1 byte is the code point of the same number.
        _ if encoding == Encoding::Latin1 => Ok(bytes.iter().map(|&byte| char::from(byte)).collect()),
        _ => Err(String::from_utf8_lossy(bytes).into_owned()),
    }
}

/// Cells of a line; a comma may be quoted, as in `"[100,1k)"`, and a quote inside quotes is doubled.
fn split<'a>(line: &'a str, separator: &str) -> Vec<Cow<'a, str>> {
    if separator != "," || !line.contains('"') {
        return line.split(separator).map(Cow::Borrowed).collect();
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
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            _ => cells[last].push(character),
        }
    }
    cells.into_iter().map(Cow::Owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_commas_and_doubled_quotes_stay_in_their_cell() {
        assert_eq!(split("1,\"[100,1k)\",\"a\"\"b\",", ","), ["1", "[100,1k)", "a\"b", ""]);
        assert_eq!(split("1::Café::x", "::"), ["1", "Café", "x"]);
    }

    #[test]
    fn latin1_bytes_become_their_code_points_and_broken_utf8_is_an_error() {
        assert_eq!(decode(b"Caf\xe9", Encoding::Latin1).unwrap(), "Café");
        // The two bytes of UTF-8 'é' are two characters in ISO-8859-1.
        assert_eq!(decode("é".as_bytes(), Encoding::Latin1).unwrap(), "Ã©");
        assert_eq!(decode(b"Caf\xe9", Encoding::Utf8).unwrap_err(), "Caf\u{fffd}");
    }
}

//! Lists of item keys in the cells of a column.

use crate::DataError;
use crate::json_lines::LIST_SEPARATOR;
use crate::keys::Keys;
use crate::source_file::ColumnType;
use crate::table::Table;
use crate::values::Values;

/// Whether a character stands between two keys.
pub(crate) type Between = fn(char) -> bool;

/// A list of item keys in each row of a table.
pub(crate) struct ItemLists {
    /// Those of all rows, one row after the other.
    pub keys: Values,
    /// Number of keys of each row.
    lengths: Vec<usize>,
}

impl ItemLists {
    /// Reads `column`, whose keys have the type `kind` and characters of `between` between them; in a list of a JSON file
    /// nothing but the list itself parts them.
    ///
    /// # Errors
    /// [`DataError::Malformed`] at a key of another type.
    pub fn read(table: &Table, column: &str, kind: ColumnType, between: Between) -> Result<ItemLists, DataError> {
        let mut lists = ItemLists { keys: Values::empty(kind), lengths: Vec::with_capacity(table.rows()) };
        for row in 0..table.rows() {
            let before = lists.keys.len();
            push_keys(table, column, kind, between, row, &mut lists.keys)?;
            lists.lengths.push(lists.keys.len() - before);
        }
        Ok(lists)
    }

    /// The lists by row, as indices of `items`.
    pub fn indices(&self, items: &Keys) -> Vec<Vec<u32>> {
        let indices = items.indices(&self.keys);
        let mut rest = &indices[..];
        let mut next = |&length: &usize| {
            let (list, after) = rest.split_at(length);
            rest = after;
            list.to_vec()
        };
        self.lengths.iter().map(&mut next).collect()
    }
}

/// Appends the keys of one row to `keys`.
fn push_keys(
    table: &Table,
    column: &str,
    kind: ColumnType,
    between: Between,
    row: usize,
    keys: &mut Values,
) -> Result<(), DataError> {
    let text = table.text(column, row)?;
    let is_list = text.contains(LIST_SEPARATOR);
    let parts = text.split(|c| if is_list { c == LIST_SEPARATOR } else { between(c) });
    for key in parts.filter(|key| !key.is_empty()) {
        let pushed = keys.push(kind, key);
        pushed.map_err(|_| table.malformed(row, column, key, "is not an item id; correct the line"))?;
    }
    Ok(())
}

/// The first key of a row that is of another type, as an error.
pub(crate) fn first_fault(
    table: &Table,
    column: &str,
    kind: ColumnType,
    between: Between,
    row: usize,
) -> Result<Option<DataError>, DataError> {
    match push_keys(table, column, kind, between, row, &mut Values::empty(kind)) {
        Ok(()) => Ok(None),
        Err(fault @ DataError::Malformed { .. }) => Ok(Some(fault)),
        Err(other) => Err(other),
    }
}

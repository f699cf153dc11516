//! Labels of the log's rows.

use crate::config::invalid;
use crate::json_lines::LIST_SEPARATOR;
use crate::source_layout::LabelRule;
use crate::table::Table;
use crate::{DataError, DatasetConfig};

/// Labels by row, and the rule in words.
///
/// # Errors
/// If the descriptor gives no rule for the column's type.
pub(crate) fn labels(config: &DatasetConfig, rule: &LabelRule, table: &Table) -> Result<(Vec<u8>, String), DataError> {
    let column = &rule.column;
    if let Some(positives) = &rule.positive_is {
        if rule.positive_at_least.is_some() {
            return Err(table.descriptor_error("the label has positive_at_least and positive_is; keep one".to_owned()));
        }
        let label = |row: usize| -> Result<u8, DataError> {
            let text = table.text(column, row)?;
            // A list of one entry in a JSON file is that entry.
            let text = text.trim_end_matches(LIST_SEPARATOR);
            Ok(u8::from(positives.iter().any(|positive| positive == text)))
        };
        let labels = (0..table.rows()).map(label).collect::<Result<_, _>>()?;
        return Ok((labels, format!("{column} is {}", positives.join(" or "))));
    }
    let Some(threshold) = config.positive_rating.or(rule.positive_at_least) else {
        return Err(invalid("label", column, "give the label a rule: positive_at_least or positive_is"));
    };
    let labels = table.numbers(column)?.iter().map(|&value| u8::from(value >= threshold)).collect();
    Ok((labels, format!("{column} >= {threshold}")))
}

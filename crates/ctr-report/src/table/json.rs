//! JSON: the comparison as it is, with every digit.

use super::{Comparison, TableFormat};
use crate::ReportError;

/// JSON with line breaks.
pub struct Json;

impl TableFormat for Json {
    fn extension(&self) -> &'static str {
        "json"
    }

    fn render(&self, comparison: &Comparison) -> Result<String, ReportError> {
        let mut text = serde_json::to_string_pretty(comparison)
            .map_err(|error| ReportError::Json { what: "a table", message: error.to_string() })?;
        text.push('\n');
        Ok(text)
    }
}

//! CSV: one line per model and method, every metric with its spread and its change, every digit.

use ctr_metrics::Metric;

use super::{Comparison, ComparisonRow, Mark, Summary, TableFormat};
use crate::ReportError;

/// Comma-separated values with a header line (RFC 4180, but ending lines in a line feed).
pub struct Csv;

impl TableFormat for Csv {
    fn extension(&self) -> &'static str {
        "csv"
    }

    fn render(&self, comparison: &Comparison) -> Result<String, ReportError> {
        let mut text = line(&header());
        for row in &comparison.rows {
            text.push_str(&line(&fields(comparison, row)));
        }
        Ok(text)
    }
}

fn header() -> Vec<String> {
    let mut names: Vec<String> =
        ["protocol", "target_ctr", "model", "method", "seeds", "users_evaluated", "users_per_second"]
            .map(String::from)
            .into();
    for metric in Metric::ALL {
        for suffix in
            ["", "_sd", "_low", "_high", "_change", "_change_sd", "_change_low", "_change_high", "_change_mark"]
        {
            names.push(format!("{metric}{suffix}"));
        }
    }
    names
}

fn fields(comparison: &Comparison, row: &ComparisonRow) -> Vec<String> {
    let mut fields = vec![
        comparison.protocol.clone(),
        number(comparison.target_ctr),
        row.model.clone(),
        row.method.clone(),
        row.seeds.len().to_string(),
        row.users_evaluated.to_string(),
        number(row.users_per_second),
    ];
    for metric in Metric::ALL {
        fields.extend(summary(row.metrics.get(&metric)));
        let change = row.change.get(&metric);
        fields.extend(summary(change.map(|change| &change.summary)));
        fields.push(change.map_or("", |change| mark(change.mark)).to_owned());
    }
    fields
}

fn summary(summary: Option<&Summary>) -> [String; 4] {
    [
        number(summary.map(|summary| summary.value)),
        number(summary.and_then(|summary| summary.standard_deviation)),
        number(summary.map(|summary| summary.low)),
        number(summary.map(|summary| summary.high)),
    ]
}

fn number(value: Option<f64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn mark(mark: Mark) -> &'static str {
    match mark {
        Mark::Better => "better",
        Mark::Worse => "worse",
        Mark::NotShown => "not shown",
    }
}

fn line(fields: &[String]) -> String {
    let quoted: Vec<String> = fields.iter().map(|field| quote(field)).collect();
    quoted.join(",") + "\n"
}

fn quote(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_with_separators_are_quoted() {
        assert_eq!(quote("l2-sp"), "l2-sp");
        assert_eq!(quote("a,\"b\""), "\"a,\"\"b\"\"\"");
    }
}

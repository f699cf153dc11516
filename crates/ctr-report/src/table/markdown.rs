//! Markdown: one table of values and one of changes, with what the marks mean below.

use ctr_metrics::Metric;

use super::{Comparison, ComparisonRow, FEWEST_USERS_TO_SHOW, Summary, TableFormat};
use crate::ReportError;

/// GitHub-flavoured Markdown.
pub struct Markdown;

impl TableFormat for Markdown {
    fn extension(&self) -> &'static str {
        "md"
    }

    fn render(&self, comparison: &Comparison) -> Result<String, ReportError> {
        let mut text = format!("## {}\n\n", capitalized(&comparison.heading()));
        text.push_str(&table(
            &comparison.rows,
            &["users/s"],
            |row, metric| row.metrics.get(&metric).map(value),
            |row| vec![row.users_per_second.map_or_else(dash, |rate| format!("{rate:.0}"))],
        ));
        let changed: Vec<ComparisonRow> =
            comparison.rows.iter().filter(|row| !row.change.is_empty()).cloned().collect();
        if !changed.is_empty() {
            text.push_str("\n### Change from the cloud model without fine-tuning\n\n");
            text.push_str(&table(&changed, &[], |row, metric| row.change.get(&metric).map(change), |_| Vec::new()));
        }
        text.push_str(&notes(comparison));
        Ok(text)
    }
}

fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().to_string() + characters.as_str())
}

fn table(
    rows: &[ComparisonRow],
    further_columns: &[&str],
    cell: impl Fn(&ComparisonRow, Metric) -> Option<String>,
    further_cells: impl Fn(&ComparisonRow) -> Vec<String>,
) -> String {
    let mut header = vec!["model", "method"];
    header.extend(Metric::ALL.map(Metric::name));
    header.extend(further_columns);
    let mut text = format!("| {} |\n|---|---|{}\n", header.join(" | "), "--:|".repeat(header.len() - 2));
    for row in rows {
        let mut cells = vec![row.model.clone(), row.method.clone()];
        cells.extend(Metric::ALL.map(|metric| cell(row, metric).unwrap_or_else(dash)));
        cells.extend(further_cells(row));
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    text
}

fn value(summary: &Summary) -> String {
    match summary.standard_deviation {
        Some(deviation) => format!("{:.4} ± {deviation:.4}", summary.value),
        None => format!("{:.4} [{:.4}, {:.4}]", summary.value, summary.low, summary.high),
    }
}

fn change(change: &super::Change) -> String {
    let Summary { value, low, high, .. } = change.summary;
    format!("{value:+.4} [{low:+.4}, {high:+.4}] {}", change.mark.symbol()).trim_end().to_owned()
}

fn dash() -> String {
    "–".to_owned()
}

fn notes(comparison: &Comparison) -> String {
    let mut text = String::from("\n");
    if comparison.seeds() > 1 {
        text.push_str("- `±`: sample standard deviation over seeds (n - 1).\n");
    }
    text.push_str("- `[low, high]`: 95 % interval by bootstrap over users, paired for changes, mean over seeds.\n");
    if comparison.has_changes() {
        text.push_str(&format!(
            "- ▲ better, ▼ worse: the interval of every seed excludes zero on that side. No mark: not shown, fewer than {FEWEST_USERS_TO_SHOW} users, or a `calibration_ratio` that went past 1.\n"
        ));
    }
    if comparison.target_ctr.is_some() && comparison.seeds() > 1 {
        text.push_str(
            "- Each seed assigns other users to this target CTR: a spread over seeds is one over users, too.\n",
        );
    }
    if let Some(ceiling) = comparison.bayes_auc {
        text.push_str(&format!(
            "- Bayes AUC, that of the true probabilities, on the whole test part: {ceiling:.4}. It is the ceiling of `auc` there; the users above are most of that part.\n"
        ));
    }
    let users = comparison.rows.iter().map(|row| row.users_evaluated);
    let (fewest, most) = (users.clone().fold(f64::INFINITY, f64::min), users.fold(0.0, f64::max));
    if most > fewest {
        text.push_str(&format!("- {fewest:.0} to {most:.0} users evaluated.\n"));
    } else {
        text.push_str(&format!("- {most:.0} users evaluated.\n"));
    }
    for metric in Metric::ALL {
        text.push_str(&format!("- `{metric}`: {}. Left out: {}.\n", metric.definition(), metric.exclusions()));
    }
    text
}

//! Plain text for a terminal of 100 columns: the columns that fit, in order of importance.

use ctr_metrics::Metric;

use super::{Comparison, ComparisonRow, Summary, TableFormat};
use crate::ReportError;

/// Aligned columns of at most 100 characters.
pub struct Text;

/// Width that no line exceeds, as long as the names of methods leave room for one metric.
const WIDTH: usize = 100;
/// Between two columns.
const GAP: usize = 2;

impl TableFormat for Text {
    fn extension(&self) -> &'static str {
        "txt"
    }

    fn render(&self, comparison: &Comparison) -> Result<String, ReportError> {
        let first_column = first_column(comparison);
        let columns = columns_that_fit(comparison, width(&first_column));
        let mut text = format!("{}\n{}\n", heading(comparison), spread(comparison));
        let mut lines = vec![(String::new(), columns.iter().map(|column| column.header.clone()).collect())];
        for model in comparison.models() {
            lines.push((model.to_owned(), Vec::new()));
            for (position, row) in comparison.rows.iter().enumerate().filter(|(_, row)| row.model == model) {
                let cells = columns.iter().map(|column| column.cells[position].clone()).collect();
                lines.push((format!("  {}", row.method), cells));
            }
        }
        let widths: Vec<usize> = columns.iter().map(Column::width).collect();
        for (name, cells) in lines {
            text.push_str(&line(&name, width(&first_column), &cells, &widths));
        }
        if let Some(ceiling) = comparison.bayes_auc {
            text.push_str(&format!(
                "ceiling of auc: {ceiling:.4}, that of the true probabilities on the whole test part\n"
            ));
        }
        if comparison.has_changes() {
            text.push_str("▲ better, ▼ worse than the cloud: every seed's 95 % interval of the change excludes zero\n");
        }
        Ok(text)
    }
}

struct Column {
    header: String,
    cells: Vec<String>,
}

impl Column {
    fn new(header: &str, comparison: &Comparison, cell: impl Fn(&ComparisonRow) -> String) -> Self {
        Self { header: header.to_owned(), cells: comparison.rows.iter().map(cell).collect() }
    }

    fn width(&self) -> usize {
        width(&self.cells).max(self.header.chars().count())
    }
}

fn first_column(comparison: &Comparison) -> Vec<String> {
    comparison.rows.iter().flat_map(|row| [row.model.clone(), format!("  {}", row.method)]).collect()
}

/// Ranking within users, ranking across users, log loss and speed, then the rest.
fn columns_that_fit(comparison: &Comparison, first_width: usize) -> Vec<Column> {
    let aligns = comparison.has_changes();
    let metric = |metric: Metric| Column::new(metric.name(), comparison, |row| cell(row, metric, aligns));
    let speed = Column::new("users/s", comparison, |row| {
        row.users_per_second.map_or_else(String::new, |rate| format!("{rate:.0}"))
    });
    let mut wanted = vec![metric(Metric::Gauc), metric(Metric::Auc), metric(Metric::LogLoss)];
    if comparison.rows.iter().any(|row| row.users_per_second.is_some()) {
        wanted.push(speed);
    }
    wanted.extend([Metric::Ece, Metric::NdcgAt10].map(metric));
    let mut used = first_width;
    wanted
        .into_iter()
        .take_while(|column| {
            used += GAP + column.width();
            used <= WIDTH
        })
        .collect()
}

/// Value, spread, change and mark, each part of a fixed width where they shall align with changes in other rows.
fn cell(row: &ComparisonRow, metric: Metric, aligns: bool) -> String {
    let Some(summary) = row.metrics.get(&metric) else {
        return String::new();
    };
    let mut cell = format!("{:.4}±{:.4}", summary.value, half_width(summary));
    match row.change.get(&metric) {
        Some(change) => cell.push_str(&format!(" {:+.4}{}", change.summary.value, change.mark.symbol())),
        None if aligns => cell.push_str(&" ".repeat(" +0.0000▲".chars().count())),
        None => {}
    }
    cell
}

/// On two lines where one does not hold it.
fn heading(comparison: &Comparison) -> String {
    let heading = comparison.heading();
    if heading.chars().count() <= WIDTH {
        return heading;
    }
    format!("{},\n{}", comparison.subject(), comparison.computed_on())
}

fn half_width(summary: &Summary) -> f64 {
    summary.standard_deviation.unwrap_or((summary.high - summary.low) / 2.0)
}

fn spread(comparison: &Comparison) -> String {
    let change = if comparison.has_changes() { ", change from the cloud" } else { "" };
    match comparison.seeds() {
        0 | 1 => format!("one seed; value±half of its 95 % interval over users{change}"),
        seeds => format!("{seeds} seeds; value±standard deviation over seeds{change}"),
    }
}

fn width(cells: &[String]) -> usize {
    cells.iter().map(|cell| cell.chars().count()).max().unwrap_or(0)
}

fn line(name: &str, name_width: usize, cells: &[String], widths: &[usize]) -> String {
    let mut text = format!("{name:<name_width$}");
    for (cell, width) in cells.iter().zip(widths) {
        text.push_str(&format!("{:GAP$}{cell:>width$}", ""));
    }
    text.trim_end().to_owned() + "\n"
}

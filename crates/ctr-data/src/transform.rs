//! From the text of source columns to a category, or to a list of them.

use std::num::NonZeroUsize;

use indexmap::IndexSet;
use serde::Deserialize;

use crate::json_lines::LIST_SEPARATOR;
use crate::source_layout::FieldRule;

/// How a field's category is made from its source columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Transform {
    /// The text itself.
    Text,
    /// The first character, as in the leading digit of a zip code.
    FirstCharacter,
    /// The first entry of a comma-separated list.
    FirstListed,
    /// The last entry of a list of a JSON or Python file; of nested lists the last one's.
    LastListed,
    /// A number between the bounds of the field.
    Bucket,
    /// A number in powers of two: `floor(log2(1 + number))`, and `<0` for negative ones.
    LogBucket,
    /// A number to two digits after the point.
    Hundredths,
    /// A list, whose entries stand between separators; or the list of a JSON or Python file.
    List,
    /// The list of the names of the columns that hold 1.
    Flags,
    /// The list of the user's last behaviors, by their text.
    Recent,
    /// The last four-digit year in the text: by decade before 1980, by year from then on.
    YearBucket,
    /// The age bands of MovieLens-1M.
    AgeBand,
    /// Milliseconds in half-octaves of a second: `floor(2 log2(seconds))`.
    DurationBucket,
    /// The hour of a clock time written as the number `hmm`, such as 0, 730 or 2200.
    Hour,
}

/// What stands for an absent value.
pub(crate) const MISSING: &str = "(missing)";

impl Transform {
    /// Whether a row has a list of categories, in the text with [`LIST_SEPARATOR`] between them.
    pub fn is_list(self) -> bool {
        matches!(self, Transform::List | Transform::Flags | Transform::Recent)
    }
}

/// The category, or the list of categories, that `rule` makes of the `cells` of its columns.
///
/// # Errors
/// Index of the cell at fault, and what was expected of it.
pub(crate) fn category(rule: &FieldRule, cells: &[&str]) -> Result<String, (usize, &'static str)> {
    if rule.transform == Transform::Flags {
        let set = rule.columns.iter().zip(cells).filter(|(_, cell)| **cell == "1").map(|(name, _)| name.as_str());
        return Ok(joined(set, rule.max_values));
    }
    let cell = cells[0].trim();
    let text = cell.trim_end_matches(LIST_SEPARATOR);
    if text.is_empty() {
        return Ok(MISSING.to_owned());
    }
    match rule.transform {
        Transform::Text | Transform::Flags | Transform::Recent => Ok(text.to_owned()),
        Transform::FirstCharacter => Ok(text.chars().take(1).collect()),
        Transform::FirstListed => Ok(text.split(',').next().unwrap_or(text).trim().to_owned()),
        Transform::LastListed => {
            let last = cell.rsplit(LIST_SEPARATOR).map(str::trim).find(|entry| !entry.is_empty());
            Ok(last.unwrap_or(MISSING).to_owned())
        }
        Transform::List if cell.contains(LIST_SEPARATOR) => Ok(joined(cell.split(LIST_SEPARATOR), rule.max_values)),
        Transform::List => Ok(joined(cell.split(rule.separator.as_deref().unwrap_or("|")), rule.max_values)),
        Transform::Bucket => {
            let bucket = number(text).map(|value| rule.bounds.partition_point(|bound| *bound <= value));
            bucket.map(|bucket| bucket.to_string()).ok_or((0, "is not a number"))
        }
        Transform::LogBucket => log_bucket(text).ok_or((0, "is not a number")),
        Transform::Hundredths => number(text).map(|value| format!("{value:.2}")).ok_or((0, "is not a number")),
        Transform::YearBucket => Ok(last_year(text).map_or_else(|| MISSING.to_owned(), year_bucket)),
        Transform::AgeBand => age_band(text).ok_or((0, "is not an age in years")),
        Transform::DurationBucket => duration_bucket(text).ok_or((0, "is not a duration in milliseconds")),
        Transform::Hour => hour(text).ok_or((0, "is not a clock time between 0 and 2359")),
    }
}

/// The first `most` distinct entries that are not blank, as one text.
fn joined<'e>(entries: impl Iterator<Item = &'e str>, most: Option<NonZeroUsize>) -> String {
    let distinct: IndexSet<&str> = entries.map(str::trim).filter(|entry| !entry.is_empty()).collect();
    let kept: Vec<&str> = distinct.into_iter().take(most.map_or(usize::MAX, NonZeroUsize::get)).collect();
    if kept.is_empty() { MISSING.to_owned() } else { kept.join(&LIST_SEPARATOR.to_string()) }
}

fn last_year(text: &str) -> Option<u32> {
    let numbers = text.split(|character: char| !character.is_ascii_digit());
    let mut years = numbers.filter(|digits| digits.len() == 4).filter_map(|digits| digits.parse().ok());
    years.rfind(|year| (1880..2100).contains(year))
}

fn year_bucket(year: u32) -> String {
    if year < 1980 { format!("{}s", year / 10 * 10) } else { year.to_string() }
}

fn age_band(text: &str) -> Option<String> {
    let age: u32 = text.parse().ok()?;
    let start = [56, 50, 45, 35, 25, 18, 1].into_iter().find(|&start| age >= start).unwrap_or(1);
    Some(start.to_string())
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

fn log_bucket(text: &str) -> Option<String> {
    let value = number(text)?;
    Some(if value < 0.0 { "<0".to_owned() } else { (1.0 + value).log2().floor().to_string() })
}

fn duration_bucket(text: &str) -> Option<String> {
    let milliseconds: f64 = text.parse().ok().filter(|value: &f64| value.is_finite() && *value >= 0.0)?;
    let half_octave = (2.0 * (milliseconds / 1000.0).max(1.0).log2()).floor();
    Some(format!("2^{}s", half_octave / 2.0))
}

fn hour(text: &str) -> Option<String> {
    let clock: u32 = text.parse().ok()?;
    (clock / 100 < 24 && clock % 100 < 60).then(|| (clock / 100).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source_layout::Owner;

    fn rule(transform: Transform, columns: &[&str]) -> FieldRule {
        FieldRule {
            name: "field".to_owned(),
            of: Owner::Row,
            columns: columns.iter().map(|&name| name.to_owned()).collect(),
            transform,
            bounds: vec![10.0, 100.0],
            separator: None,
            max_values: None,
        }
    }

    fn one(transform: Transform, cell: &str) -> Result<String, (usize, &'static str)> {
        category(&rule(transform, &["column"]), &[cell])
    }

    #[test]
    fn categories_follow_their_rules() {
        for (transform, cell, category) in [
            (Transform::Text, " F ", "F"),
            (Transform::Text, "", MISSING),
            (Transform::FirstCharacter, "T8H1N", "T"),
            (Transform::FirstListed, "20,43", "20"),
            (Transform::YearBucket, "Toy Story (1995)", "1995"),
            (Transform::YearBucket, "2001: A Space Odyssey (1968)", "1960s"),
            (Transform::YearBucket, "01-Jan-1979", "1970s"),
            (Transform::YearBucket, "unknown", MISSING),
            (Transform::AgeBand, "7", "1"),
            (Transform::AgeBand, "24", "18"),
            (Transform::AgeBand, "56", "56"),
            // log2(11.933) = 3.577, twice is 7.15
            (Transform::DurationBucket, "11933.0", "2^3.5s"),
            (Transform::DurationBucket, "500", "2^0s"),
            (Transform::Bucket, "9.9", "0"),
            (Transform::Bucket, "10", "1"),
            (Transform::Bucket, "1e3", "2"),
            (Transform::LogBucket, "0", "0"),
            (Transform::LogBucket, "6.9", "2"),
            (Transform::LogBucket, "7", "3"),
            (Transform::LogBucket, "-2", "<0"),
            (Transform::Hundredths, "0.1251", "0.13"),
            (Transform::LastListed, "Electronics\u{1f}Cables\u{1f}\u{1f}", "Cables"),
            (Transform::Text, "Cables\u{1f}", "Cables"),
            (Transform::LogBucket, "7\u{1f}", "3"),
            (Transform::FirstListed, "20\u{1f}", "20"),
            (Transform::Hour, "2200", "22"),
            (Transform::Hour, "0", "0"),
        ] {
            assert_eq!(one(transform, cell).unwrap(), category, "{transform:?} of '{cell}'");
        }
        assert!(one(Transform::Hour, "2400").is_err());
        assert!(one(Transform::AgeBand, "young").is_err());
        assert!(one(Transform::DurationBucket, "-1").is_err());
    }

    #[test]
    fn lists_hold_each_entry_once() {
        let flags = rule(Transform::Flags, &["Action", "Drama", "War"]);
        assert_eq!(category(&flags, &["1", "0", "1"]).unwrap(), "Action\u{1f}War");
        assert_eq!(category(&flags, &["0", "0", "0"]).unwrap(), MISSING);
        let mut list = rule(Transform::List, &["tags"]);
        assert_eq!(category(&list, &["b| a|b||c"]).unwrap(), "b\u{1f}a\u{1f}c");
        assert_eq!(category(&list, &["x\u{1f}y|z\u{1f}"]).unwrap(), "x\u{1f}y|z", "the list of a JSON file");
        assert_eq!(category(&list, &["y|z\u{1f}"]).unwrap(), "y|z", "also of one entry");
        assert_eq!(category(&list, &["|"]).unwrap(), MISSING);
        list.separator = Some(",".to_owned());
        list.max_values = NonZeroUsize::new(2);
        assert_eq!(category(&list, &["20,43,1"]).unwrap(), "20\u{1f}43");
    }
}

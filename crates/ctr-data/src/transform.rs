//! From the text of source columns to one category.

use serde::Deserialize;

use crate::json_lines::LIST_SEPARATOR;

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
    /// The names of the columns that hold 1, joined.
    Flags,
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
    /// The category of `cells`, whose column names are `columns`; `bounds` are those of buckets.
    ///
    /// # Errors
    /// Index of the cell at fault, and what was expected of it.
    pub fn apply(self, columns: &[String], bounds: &[f64], cells: &[&str]) -> Result<String, (usize, &'static str)> {
        if self == Transform::Flags {
            let set: Vec<&str> =
                columns.iter().zip(cells).filter(|(_, cell)| **cell == "1").map(|(name, _)| name.as_str()).collect();
            return Ok(if set.is_empty() { MISSING.to_owned() } else { set.join("|") });
        }
        let cell = cells[0].trim();
        if cell.is_empty() {
            return Ok(MISSING.to_owned());
        }
        match self {
            Transform::Text | Transform::Flags => Ok(cell.to_owned()),
            Transform::FirstCharacter => Ok(cell.chars().take(1).collect()),
            Transform::FirstListed => Ok(cell.split(',').next().unwrap_or(cell).trim().to_owned()),
            Transform::LastListed => Ok(cell.rsplit(LIST_SEPARATOR).next().unwrap_or(cell).trim().to_owned()),
            Transform::Bucket => {
                let bucket = number(cell).map(|value| bounds.partition_point(|bound| *bound <= value));
                bucket.map(|bucket| bucket.to_string()).ok_or((0, "is not a number"))
            }
            Transform::LogBucket => log_bucket(cell).ok_or((0, "is not a number")),
            Transform::Hundredths => number(cell).map(|value| format!("{value:.2}")).ok_or((0, "is not a number")),
            Transform::YearBucket => Ok(last_year(cell).map_or_else(|| MISSING.to_owned(), year_bucket)),
            Transform::AgeBand => age_band(cell).ok_or((0, "is not an age in years")),
            Transform::DurationBucket => duration_bucket(cell).ok_or((0, "is not a duration in milliseconds")),
            Transform::Hour => hour(cell).ok_or((0, "is not a clock time between 0 and 2359")),
        }
    }
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

    fn one(transform: Transform, cell: &str) -> Result<String, (usize, &'static str)> {
        transform.apply(&["column".to_owned()], &[10.0, 100.0], &[cell])
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
            (Transform::LastListed, "Electronics\u{1f}Cables", "Cables"),
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
    fn flags_join_the_names_of_set_columns() {
        let columns = ["Action".to_owned(), "Drama".to_owned(), "War".to_owned()];
        assert_eq!(Transform::Flags.apply(&columns, &[], &["1", "0", "1"]).unwrap(), "Action|War");
        assert_eq!(Transform::Flags.apply(&columns, &[], &["0", "0", "0"]).unwrap(), MISSING);
    }
}

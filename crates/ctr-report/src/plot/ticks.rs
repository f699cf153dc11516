//! Axis ranges and the digits of their numbers.

use std::ops::Range;

/// Range that holds all values with 6 % of room on either side; a single value gets some room too.
/// `None` without finite values.
pub(crate) fn padded_range(values: impl IntoIterator<Item = f64>) -> Option<Range<f64>> {
    let (low, high) = values
        .into_iter()
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    if low > high {
        return None;
    }
    let room = if high > low { 0.06 * (high - low) } else { 0.05 * low.abs().max(0.01) };
    Some(low - room..high + room)
}

/// A number as it stands along an axis of that range with at most `ticks` numbers: as many decimals as tell neighbours
/// apart, which are a 1, 2 or 5 of the decimal place of `range / ticks` or more.
pub(crate) fn tick_label(value: f64, range: &Range<f64>, ticks: usize) -> String {
    let closest = (range.end - range.start) / ticks.max(1) as f64;
    let decimals = (-closest.log10().floor()).clamp(0.0, 6.0) as usize;
    let label = format!("{value:.decimals$}");
    // Rounding leaves "-0.00" where an axis crosses zero.
    if label.trim_start_matches('-').chars().all(|c| c == '0' || c == '.') {
        format!("{:.decimals$}", 0.0)
    } else {
        label
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_their_values_with_room() {
        let range = padded_range([1.0, 3.0, f64::NAN]).expect("values");
        assert!((range.start - 0.88).abs() < 1e-12 && (range.end - 3.12).abs() < 1e-12, "{range:?}");
        let single = padded_range([0.7]).expect("a value");
        assert!(single.start < 0.7 && single.end > 0.7);
        assert_eq!(padded_range([]), None);
    }

    #[test]
    fn numbers_have_the_decimals_that_their_range_needs() {
        assert_eq!(tick_label(0.72, &(0.70..0.80), 6), "0.72");
        assert_eq!(tick_label(0.721, &(0.719..0.725), 6), "0.721");
        assert_eq!(tick_label(1500.0, &(0.0..2000.0), 5), "1500");
        assert_eq!(tick_label(-1e-17, &(-0.1..0.1), 6), "0.00");
        // Neighbours are 0.005 apart here.
        assert_eq!(tick_label(-0.015, &(-0.031..0.001), 6), "-0.015");
    }
}

//! Statistics over seeds.

/// Arithmetic mean. `None` without values.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Sample standard deviation, dividing by `n - 1`. `None` for fewer than two values.
pub fn sample_standard_deviation(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let mean = mean(values)?;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((squares / (values.len() - 1) as f64).sqrt())
}

/// Candidate minus baseline, seed by seed. `None` if the numbers of seeds differ.
pub fn paired_differences(candidate: &[f64], baseline: &[f64]) -> Option<Vec<f64>> {
    (candidate.len() == baseline.len()).then(|| candidate.iter().zip(baseline).map(|(c, b)| c - b).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ```python
    /// import statistics
    /// v = [0.7225, 0.7266, 0.7256, 0.7268, 0.7265]
    /// statistics.mean(v), statistics.stdev(v)
    /// ```
    #[test]
    fn mean_and_standard_deviation_are_pythons() {
        let values = [0.7225, 0.7266, 0.7256, 0.7268, 0.7265];
        assert!((mean(&values).expect("values") - 0.7256).abs() < 1e-15);
        assert!((sample_standard_deviation(&values).expect("two values") - 0.0017930421077041053).abs() < 1e-15);
    }

    #[test]
    fn too_few_values_have_no_statistics() {
        assert_eq!(mean(&[]), None);
        assert_eq!(sample_standard_deviation(&[0.7]), None);
        assert_eq!(paired_differences(&[0.5], &[0.5, 0.5]), None);
        assert_eq!(paired_differences(&[0.75, 0.5], &[0.5, 0.5]), Some(vec![0.25, 0.0]));
    }
}

//! Counting the facts of encoded samples.

use crate::auc::auc;
use crate::descriptor::Descriptor;
use crate::encode::split_in_words;
use crate::fingerprint::Hashes;
use crate::log::{Origin, runs};
use crate::{Check, Dataset, DatasetConfig, Facts, Field, FieldFacts, LocalCtr, PartFacts, Samples, Split};

/// Fewest training samples of a user whose local CTR is counted: below, it is mostly noise.
const MIN_LOCAL_SAMPLES: usize = 10;

/// All facts of `dataset`, whose own are still empty; `items` is the number of items with samples.
pub(crate) fn facts(
    config: &DatasetConfig,
    descriptor: &Descriptor,
    dataset: &Dataset,
    items: usize,
    origin: Origin,
    guard: Vec<Check>,
    hashes: Hashes,
) -> Facts {
    let samples = &dataset.samples;
    let rows = dataset.len();
    let ranges: Vec<_> = runs(&samples.user, 0..rows).collect();
    let lengths = samples.history_range.iter().map(|(start, end)| u64::from(end - start));
    let part = |split| part_facts(dataset, split);
    Facts {
        dataset: descriptor.name.clone(),
        title: descriptor.title.clone(),
        home_page: descriptor.home_page.clone(),
        licence: descriptor.licence.clone(),
        citation: descriptor.citation.clone(),
        label_rule: origin.label_rule,
        split_rule: split_in_words(config, descriptor.source.as_ref().and_then(|source| source.test_from)),
        time_unit: origin.time_unit,
        raw_rows: origin.raw_rows as u64,
        repeated_rows: origin.repeated_rows as u64,
        skipped_rows: origin.skipped_rows,
        sampling: origin.sampling,
        rows: rows as u64,
        users: if dataset.has_users() { ranges.len() as u64 } else { 0 },
        items: items as u64,
        items_listed: origin.items_listed.map(|listed| listed as u64),
        raw_positive_rate: origin.raw_positive_rate,
        positive_rate: rate(samples.label.iter().copied()),
        users_with_20_raw_rows: origin.users_with_20_raw_rows as u64,
        users_with_20_rows: ranges.iter().filter(|range| range.len() >= 20).count() as u64,
        first_time: samples.time.iter().copied().min().unwrap_or_default(),
        last_time: samples.time.iter().copied().max().unwrap_or_default(),
        mean_history_length: lengths.clone().sum::<u64>() as f64 / rows as f64,
        samples_without_history: lengths.filter(|length| *length == 0).count() as u64,
        bayes_auc: bayes_auc(samples),
        dataset_hash: hashes.dataset,
        split_hash: hashes.split,
        warnings: origin.warnings,
        train: part(Split::Train),
        validation: part(Split::Validation),
        test: part(Split::Test),
        local_ctr: local_ctr(samples),
        fields: dataset.fields.iter().zip(dataset.lookups_by_field()).map(field_facts).collect(),
        guard,
    }
}

fn rate(labels: impl Iterator<Item = u8>) -> f64 {
    let (mut rows, mut positives) = (0u64, 0u64);
    labels.for_each(|label| {
        rows += 1;
        positives += u64::from(label);
    });
    positives as f64 / rows as f64
}

fn field_facts((field, most_values): (&Field, usize)) -> FieldFacts {
    FieldFacts {
        name: field.name.clone(),
        vocabulary_size: u64::from(field.vocabulary_size),
        most_values: most_values as u64,
    }
}

fn part_facts(dataset: &Dataset, split: Split) -> PartFacts {
    let samples = &dataset.samples;
    let rows = || (0..samples.label.len()).filter(|&row| samples.split[row] == split);
    let unknown_id = dataset.fields[dataset.item_field].offset;
    let unknown = rows().filter(|&row| dataset.sample_ids(row)[dataset.item_field] == unknown_id).count();
    let mut users: Vec<u32> = rows().map(|row| samples.user[row]).collect();
    users.dedup();
    PartFacts {
        rows: rows().count() as u64,
        users: if dataset.has_users() { users.len() as u64 } else { 0 },
        positive_rate: rate(rows().map(|row| samples.label[row])),
        unknown_item_rate: unknown as f64 / rows().count() as f64,
    }
}

fn bayes_auc(samples: &Samples) -> Option<f64> {
    let probabilities = samples.true_probability.as_ref()?;
    let test = samples.split.iter().zip(probabilities).zip(&samples.label);
    let test = test.filter(|((split, _), _)| **split == Split::Test);
    let (scores, labels): (Vec<f32>, Vec<u8>) = test.map(|((_, score), label)| (*score, *label)).unzip();
    auc(&scores, &labels)
}

fn local_ctr(samples: &Samples) -> LocalCtr {
    let mut rates = Vec::new();
    for user in runs(&samples.user, 0..samples.user.len()) {
        let local = || user.clone().filter(|&row| samples.split[row] == Split::Train).map(|row| samples.label[row]);
        if local().count() >= MIN_LOCAL_SAMPLES {
            rates.push(rate(local()));
        }
    }
    let mut summary = LocalCtr { min_samples: MIN_LOCAL_SAMPLES as u64, ..LocalCtr::default() };
    if rates.is_empty() {
        return summary;
    }
    rates.sort_unstable_by(f64::total_cmp);
    summary.users = rates.len() as u64;
    summary.one_class_users = rates.iter().filter(|rate| **rate == 0.0 || **rate == 1.0).count() as u64;
    (summary.mean, summary.sd) = mean_and_sd(&rates);
    (summary.min, summary.max) = (rates[0], rates[rates.len() - 1]);
    [summary.p05, summary.p25, summary.median, summary.p75, summary.p95] =
        [0.05, 0.25, 0.5, 0.75, 0.95].map(|share| quantile(&rates, share));
    summary
}

/// Mean and sample standard deviation (0 for a single value).
fn mean_and_sd(values: &[f64]) -> (f64, f64) {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (values.len() as f64 - 1.0).max(1.0)).sqrt())
}

/// Quantile of ascending `values`, interpolated linearly between order statistics.
fn quantile(values: &[f64], share: f64) -> f64 {
    let position = share * (values.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(values.len() - 1);
    values[below] + (position - below as f64) * (values[above] - values[below])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_and_spread_are_numpys() {
        // x = numpy.array([.1, .2, .4, .7]); numpy.quantile(x, [.05, .5, .95]); x.std(ddof=1)
        let values = [0.1, 0.2, 0.4, 0.7];
        for (share, expected) in [(0.05, 0.115), (0.5, 0.3), (0.95, 0.655)] {
            assert!((quantile(&values, share) - expected).abs() < 1e-12);
        }
        let (mean, sd) = mean_and_sd(&values);
        assert!((mean - 0.35).abs() < 1e-12 && (sd - 0.264_575_131_106_459_1).abs() < 1e-12);
    }
}

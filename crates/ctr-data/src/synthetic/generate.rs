//! Drawing impressions user by user, straight into columns.

use std::ops::Range;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::SyntheticConfig;
use super::planted::{BUCKETS, Item, POSITIONS, TRAITS, User, normal, sigmoid};
use crate::log::{Codes, Column, Log, Origin};

/// Length of the observation, seconds.
const HORIZON_SECONDS: i64 = 30 * 24 * 3600;
/// Spread of the rows per user (sigma of the log-normal).
const ROWS_SIGMA: f64 = 0.5;
/// Stream of the items; user `u` draws from stream `u + 1`.
const ITEM_STREAM: u64 = 0;

/// Draws users one after the other: what is in memory is the items and one user's rows, whatever the number of users.
struct Impressions<'a> {
    config: &'a SyntheticConfig,
    test_fraction: f64,
    items: Vec<Item>,
    popularity: Vec<f64>,
    users: Range<u32>,
}

/// One user's rows, in time order.
#[derive(Debug, PartialEq)]
struct UserRows {
    user: u32,
    traits: Vec<u32>,
    rows: Vec<Impression>,
}

#[derive(Debug, PartialEq)]
struct Impression {
    item: u32,
    position: u32,
    time: i64,
    label: u8,
    probability: f32,
}

impl<'a> Impressions<'a> {
    fn new(config: &'a SyntheticConfig, test_fraction: f64) -> Self {
        let items = draw_items(config);
        let popularity = cumulative_zipf(items.len(), config.zipf_exponent);
        Self { config, test_fraction, items, popularity, users: 0..config.users }
    }
}

impl Iterator for Impressions<'_> {
    type Item = UserRows;

    fn next(&mut self) -> Option<UserRows> {
        let user = self.users.next()?;
        let mut random = ChaCha8Rng::seed_from_u64(self.config.seed);
        random.set_stream(u64::from(user) + 1);
        let drawn = User::draw(self.config, &mut random);
        let times = draw_times(self.config, &mut random);
        let first_test = times.len() - (self.test_fraction * times.len() as f64 + 1e-9).floor() as usize;
        let impression = |(row, time): (usize, i64)| {
            let item = draw_item(&self.popularity, &mut random);
            let position = random.random_range(0..POSITIONS);
            let logit = drawn.logit(self.config, &self.items[item], position, row >= first_test);
            // The label is drawn from the stored probability, so that the reported ceiling is exact.
            let probability = sigmoid(logit) as f32;
            let label = u8::from(random.random::<f32>() < probability);
            Impression { item: item as u32, position, time, label, probability }
        };
        let rows = times.into_iter().enumerate().map(impression).collect();
        Some(UserRows { user, traits: drawn.traits, rows })
    }
}

/// Draws the whole log, straight into its columns. The last `test_fraction` of each user's rows is the test period of
/// `drift`.
pub(crate) fn generate(config: &SyntheticConfig, test_fraction: f64) -> Log {
    let mut log = Log { user_keys: (0..config.users).map(|user| user.to_string()).collect(), ..Log::default() };
    let traits = TRAITS.min(config.latent_dim as usize);
    let mut user_traits = vec![Vec::with_capacity(config.users as usize); traits];
    let mut positions = Vec::new();
    let mut probabilities = Vec::new();
    let mut impressions = Impressions::new(config, test_fraction);
    for drawn in &mut impressions {
        user_traits.iter_mut().zip(&drawn.traits).for_each(|(column, category)| column.push(*category));
        for row in drawn.rows {
            log.user.push(drawn.user);
            log.item.push(row.item);
            log.time.push(row.time);
            log.label.push(row.label);
            positions.push(row.position);
            probabilities.push(row.probability);
        }
    }
    log.true_probability = Some(probabilities);
    log.columns = columns(&impressions.items, traits, user_traits, positions);
    log.origin = origin(&log);
    log
}

fn draw_items(config: &SyntheticConfig) -> Vec<Item> {
    let mut random = ChaCha8Rng::seed_from_u64(config.seed);
    random.set_stream(ITEM_STREAM);
    (0..config.items).map(|_| Item::draw(config, &mut random)).collect()
}

/// Running sums of `rank^-exponent`.
fn cumulative_zipf(items: usize, exponent: f64) -> Vec<f64> {
    let weights = (1..=items).map(|rank| (rank as f64).powf(-exponent));
    weights
        .scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        })
        .collect()
}

fn draw_item(popularity: &[f64], random: &mut ChaCha8Rng) -> usize {
    let total = popularity.last().copied().unwrap_or_default();
    let drawn = random.random::<f64>() * total;
    popularity.partition_point(|&sum| sum <= drawn).min(popularity.len() - 1)
}

/// Times of one user's rows, ascending; users arrive during the first half of the observation.
fn draw_times(config: &SyntheticConfig, random: &mut ChaCha8Rng) -> Vec<i64> {
    let log_normal = (ROWS_SIGMA * normal(random) - ROWS_SIGMA * ROWS_SIGMA / 2.0).exp();
    let fewest = config.rows_per_user.min(10.0);
    let rows = (config.rows_per_user * log_normal).round().max(fewest) as usize;
    let arrival = random.random_range(0..HORIZON_SECONDS / 2);
    let mut times: Vec<i64> = (0..rows).map(|_| random.random_range(arrival..HORIZON_SECONDS)).collect();
    times.sort_unstable();
    // One impression at a time: two of one item in one second would be one impression twice.
    for at in 1..times.len() {
        times[at] = times[at].max(times[at - 1] + 1);
    }
    times
}

fn columns(items: &[Item], traits: usize, user_traits: Vec<Vec<u32>>, positions: Vec<u32>) -> Vec<Column> {
    let numbered = |size: u32| (0..size).map(|value| value.to_string()).collect();
    let column =
        |name: &str, codes, size| Column { name: name.to_owned(), codes, dictionary: numbered(size), is_list: false };
    let count = items.len() as u32;
    let mut columns = vec![column("item", Codes::Item((0..count).collect()), count)];
    for k in 0..traits {
        let codes = Codes::Item(items.iter().map(|item| item.traits[k]).collect());
        columns.push(column(&format!("item_trait_{}", k + 1), codes, BUCKETS));
    }
    let grades = Codes::Item(items.iter().map(|item| item.grade).collect());
    columns.push(column("item_grade", grades, BUCKETS));
    for (k, codes) in user_traits.into_iter().enumerate() {
        columns.push(column(&format!("user_trait_{}", k + 1), Codes::User(codes), BUCKETS));
    }
    columns.push(column("position", Codes::Row(positions), POSITIONS));
    columns
}

fn origin(log: &Log) -> Origin {
    let positives: u64 = log.label.iter().map(|&label| u64::from(label)).sum();
    Origin {
        label_rule: "click drawn with the planted probability".to_owned(),
        time_unit: "seconds".to_owned(),
        raw_rows: log.rows(),
        raw_positive_rate: positives as f64 / log.rows() as f64,
        users_with_20_raw_rows: log.user_ranges().filter(|range| range.len() >= 20).count(),
        ..Origin::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_knob_is_the_sd_of_the_difference_between_the_periods() {
        let mut config = SyntheticConfig { drift: 0.8, ..SyntheticConfig::default() };
        let sd = |config: &SyntheticConfig| {
            let mut random = ChaCha8Rng::seed_from_u64(3);
            let drifts: Vec<f64> = (0..20_000).map(|_| User::draw(config, &mut random).drift()).collect();
            (drifts.iter().map(|drift| drift * drift).sum::<f64>() / drifts.len() as f64).sqrt()
        };
        // The standard error of an sd estimated from 20,000 normals is 0.8 / sqrt(40,000) = 0.004.
        assert!((sd(&config) - 0.8).abs() < 0.016, "{}", sd(&config));
        config.drift = 0.0;
        assert_eq!(sd(&config), 0.0);
    }

    #[test]
    fn popularity_falls_as_the_rank_to_the_exponent() {
        let sums = cumulative_zipf(4, 2.0);
        assert_eq!(sums, [1.0, 1.25, 1.25 + 1.0 / 9.0, 1.25 + 1.0 / 9.0 + 1.0 / 16.0]);
    }

    #[test]
    fn a_user_is_drawn_without_those_before_or_after() {
        let few = SyntheticConfig { users: 3, ..SyntheticConfig::default() };
        let many = SyntheticConfig { users: u32::MAX, ..SyntheticConfig::default() };
        let first: Vec<UserRows> = Impressions::new(&few, 0.2).collect();
        assert_eq!(first, Impressions::new(&many, 0.2).take(3).collect::<Vec<_>>());
    }

    #[test]
    fn a_log_depends_on_its_seed_only() {
        let config = SyntheticConfig { users: 20, ..SyntheticConfig::default() };
        let other = SyntheticConfig { seed: 2, ..config.clone() };
        assert_eq!(generate(&config, 0.2), generate(&config, 0.2));
        assert_ne!(generate(&config, 0.2).item, generate(&other, 0.2).item);
    }
}

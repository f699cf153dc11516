//! Published counts, on the real files; skipped with a printed reason where they are absent.

use std::path::{Path, PathBuf};

use ctr_data::{Dataset, DatasetConfig, Split, SplitRule, load};

/// The folder of real data, if this machine has `dataset` in it.
fn data_dir(dataset: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let dir = std::env::var_os("CTRBENCH_DATA").map_or(beside, PathBuf::from);
    if dir.join(dataset).is_dir() {
        return Some(dir);
    }
    println!("skipped: {} is absent (set CTRBENCH_DATA)", dir.join(dataset).display());
    None
}

/// Loads `dataset` into a cache of its own; nothing where the files are absent.
fn load_real(dataset: &str, change: impl Fn(&mut DatasetConfig)) -> Option<Dataset> {
    let mut config = DatasetConfig::new(dataset);
    config.data_dir = Some(data_dir(dataset)?);
    let cache = tempfile::tempdir().unwrap();
    config.cache_dir = cache.path().to_owned();
    change(&mut config);
    let dataset = load(&config, &|message| println!("{message}")).unwrap();
    println!("{}", dataset.facts);
    Some(dataset)
}

/// Equal to four digits, as published.
fn assert_rate(rate: f64, published: &str) {
    let decimals = published.len() - 2;
    assert_eq!(format!("{rate:.decimals$}"), published);
}

/// Label rate of the first (`held_out = false`) or last part of every user's rows.
fn rate(dataset: &Dataset, test: bool) -> f64 {
    let samples = &dataset.samples;
    let of_part = samples.split.iter().zip(&samples.label).filter(|(split, _)| (**split == Split::Test) == test);
    let labels: Vec<u32> = of_part.map(|(_, label)| u32::from(*label)).collect();
    f64::from(labels.iter().sum::<u32>()) / labels.len() as f64
}

/// Checks by counting from the samples alone, without the code that made the windows.
fn assert_histories_are_strictly_earlier_positives(dataset: &Dataset) {
    let samples = &dataset.samples;
    for user in (0..dataset.user_keys.len() as u32).step_by(37) {
        let rows = dataset.samples_of(user);
        for row in rows.clone() {
            let earlier = rows.clone().filter(|&r| samples.time[r] < samples.time[row] && samples.label[r] == 1);
            let items: Vec<u32> = earlier.map(|r| dataset.sample_ids(r)[dataset.item_field]).collect();
            let expected = &items[items.len().saturating_sub(dataset.history_length)..];
            assert_eq!(dataset.history(row), expected, "user {user}, row {row}");
        }
    }
}

#[test]
fn movielens_100k_has_its_published_counts() {
    let Some(dataset) = load_real("movielens-100k", |_| {}) else { return };
    let facts = &dataset.facts;
    assert_eq!((facts.users, facts.items, facts.rows), (943, 1682, 100_000));
    assert_eq!((facts.raw_rows, facts.repeated_rows), (100_000, 0));
    assert_eq!(facts.warnings, Vec::<String>::new());
    assert_rate(facts.positive_rate, "0.5537");
    // README of the dataset: every user has at least 20 ratings.
    assert_eq!(facts.users_with_20_rows, 943);
    // u.occupation lists 21 occupations.
    let sizes: Vec<(&str, u32)> =
        dataset.fields.iter().map(|field| (field.name.as_str(), field.vocabulary_size)).collect();
    assert_eq!(sizes[1..4], [("gender", 3), ("age", 8), ("occupation", 22)]);
    assert_eq!(dataset.table_rows(), sizes.iter().map(|(_, size)| *size as usize).sum::<usize>());
    assert_histories_are_strictly_earlier_positives(&dataset);
}

#[test]
fn movielens_1m_has_its_published_counts() {
    let Some(dataset) = load_real("movielens-1m", |_| {}) else { return };
    let facts = &dataset.facts;
    // `grep -o '::[^:]*$' movies.dat | tr -d '\r:' | tr '|' '\n' | sort -u`: 18 genres; with awk -F'|', 6 of a movie at most.
    let size = |name: &str| dataset.fields.iter().find(|field| field.name == name).map(|field| field.vocabulary_size);
    assert_eq!((size("genres"), size("release_year")), (Some(19), Some(29)));
    // Movie 1 is Animation|Children's|Comedy, movie 2 Adventure|Children's|Fantasy; Action is the first genre.
    let genres = dataset.fields.iter().position(|field| field.name == "genres").unwrap();
    let offset = dataset.fields[genres].offset;
    let of_movie = |movie: u32| {
        let id = dataset.fields[dataset.item_field].offset + movie;
        let sample = (0..dataset.len()).find(|&i| dataset.sample_ids(i)[dataset.item_field] == id).unwrap();
        let mut ids = Vec::new();
        dataset.append_lookups(sample, u32::MAX, &mut ids);
        ids[genres..genres + 6].iter().filter(|id| **id != u32::MAX).map(|id| id - offset).collect::<Vec<u32>>()
    };
    assert_eq!((of_movie(1), of_movie(2)), (vec![3, 4, 5], vec![2, 4, 9]));
    assert_eq!(dataset.lookups_by_field().iter().sum::<usize>(), dataset.fields.len() + 5);
    assert_eq!((facts.users, facts.items, facts.items_listed), (6040, 3706, Some(3883)));
    assert_eq!((facts.rows, facts.repeated_rows), (1_000_209, 0));
    assert_rate(facts.positive_rate, "0.5752");
    assert_rate(rate(&dataset, false), "0.588");
    assert_rate(rate(&dataset, true), "0.522");
    assert_rate(facts.test.positive_rate, "0.522");
    // README of the dataset: 7 age bands, 21 occupations.
    let sizes: Vec<(&str, u32)> =
        dataset.fields.iter().map(|field| (field.name.as_str(), field.vocabulary_size)).collect();
    assert_eq!(sizes[1..4], [("gender", 3), ("age", 8), ("occupation", 22)]);
    assert_histories_are_strictly_earlier_positives(&dataset);
}

#[test]
fn kuairand_pure_has_its_known_counts() {
    let Some(dataset) = load_real("kuairand-pure", |_| {}) else { return };
    let facts = &dataset.facts;
    assert_eq!((facts.raw_rows, facts.repeated_rows, facts.rows), (228_329, 5_885, 222_444));
    assert_eq!((facts.users, facts.items), (25_156, 6_361));
    assert_eq!((facts.users_with_20_raw_rows, facts.users_with_20_rows), (2_541, 2_396));
    assert_rate(facts.raw_positive_rate, "0.4419");
    // Counted in Python with the first of each (user_id, video_id, time_ms) kept: 0.44958281634928343
    assert!((facts.positive_rate - 0.449_582_816_349_283_43).abs() < 1e-12);
    // grep '^0,' user_history_until_0424.csv: 7136 7136 909 1527 7405 6026 4270 1694 7531
    assert_eq!(dataset.user_keys[0], "0");
    let history = dataset.history(dataset.samples_of(0).start);
    assert_eq!(history.len(), 9);
    assert!(history[0] == history[1] && history[1..].windows(2).all(|pair| pair[0] != pair[1]), "{history:?}");
}

#[test]
fn the_threshold_and_the_user_field_follow_the_config() {
    let with_user = |config: &mut DatasetConfig| {
        config.positive_rating = Some(5.0);
        config.user_id_feature = true;
        config.split = Some(SplitRule::GlobalTemporal);
    };
    let Some(dataset) = load_real("movielens-100k", with_user) else { return };
    // awk '$3 == 5' u.data | wc -l
    assert_rate(dataset.facts.positive_rate, "0.2120");
    let last = dataset.fields.last().unwrap();
    assert_eq!(last.name, "user");
    let samples = &dataset.samples;
    let latest = samples.time.iter().zip(&samples.split).filter(|(_, split)| **split == Split::Train);
    let latest = latest.map(|(time, _)| *time).max().unwrap();
    let held_out = samples.time.iter().zip(&samples.split).filter(|(_, split)| **split != Split::Train);
    assert!(held_out.map(|(time, _)| *time).min().unwrap() > latest);
}

#[test]
fn a_global_cut_is_refused_where_the_time_column_is_order_only() {
    let Some(dir) = data_dir("movielens-1m") else { return };
    let mut config = DatasetConfig::new("movielens-1m");
    config.data_dir = Some(dir);
    let cache = tempfile::tempdir().unwrap();
    config.cache_dir = cache.path().to_owned();
    config.split = Some(SplitRule::GlobalTemporal);
    match load(&config, &|_| {}) {
        // The official file: its clock is real.
        Ok(dataset) => assert_eq!(dataset.facts.first_time, 956_703_932),
        Err(error) => assert!(error.to_string().contains("carries order only"), "{error}"),
    }
}

#[test]
fn frappe_has_its_published_split() {
    let Some(dataset) = load_real("frappe", |_| {}) else { return };
    let facts = &dataset.facts;
    // 957 users, 4,082 items, 288,609 rows: arXiv 1708.05027, section 5.1; parts and their positives: BARS, Frappe_x1.
    assert_eq!((facts.users, facts.items, facts.rows), (957, 4082, 288_609));
    let parts = [&facts.train, &facts.validation, &facts.test];
    assert_eq!(parts.map(|part| part.rows), [202_027, 57_722, 28_860]);
    assert_eq!(parts.map(|part| (part.positive_rate * part.rows as f64).round()), [67_604.0, 19_063.0, 9_536.0]);
    assert_eq!(dataset.fields.len(), 10);
    assert_eq!(facts.time_unit, "none");
    assert!(dataset.samples.history_range.iter().all(|(start, end)| start == end), "no history without times");
}

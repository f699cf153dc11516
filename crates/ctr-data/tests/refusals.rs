//! Bad input ends with one message that names the place and the remedy.

mod small_movielens;

use std::fs;

use ctr_data::{DataError, DatasetConfig, SplitRule, load};
use small_movielens::SmallMovielens;

fn message(config: &DatasetConfig) -> String {
    load(config, &|_| {}).unwrap_err().to_string()
}

/// Line, column and value of the malformed row that loading names.
fn place(source: &SmallMovielens) -> (String, u64, String, String) {
    match load(&source.config(), &|_| {}).unwrap_err() {
        DataError::Malformed { file, line, column, value, remedy } => {
            assert!(remedy.contains("correct the line"), "{remedy}");
            (file.file_name().unwrap().to_str().unwrap().to_owned(), line, column, value)
        }
        other => panic!("{other}"),
    }
}

fn at(file: &str, line: u64, column: &str, value: &str) -> (String, u64, String, String) {
    (file.to_owned(), line, column.to_owned(), value.to_owned())
}

#[test]
fn the_small_files_are_sound() {
    let source = SmallMovielens::new();
    let dataset = load(&source.config(), &|_| {}).unwrap();
    assert_eq!((dataset.len(), dataset.facts.users, dataset.facts.items), (30, 3, 10));
    assert_eq!(dataset.facts.positive_rate, 0.5);
    // Counts other than the published ones are said, not refused.
    let warning = "movielens-100k: 30 rows, but the official files hold 100000: is the download complete?";
    assert_eq!(dataset.facts.warnings[0], warning);
}

#[test]
fn a_malformed_row_is_named_by_file_line_column_and_value() {
    for (from, to, line, column, value) in [
        ("1\t13\t2\t103", "1\t13\tgood\t103", 4, "rating", "good"),
        ("1\t13\t2\t103", "1\t13\t\t103", 4, "rating", ""),
        ("1\t13\t2\t103", "1\t13\tNaN\t103", 4, "rating", "NaN"),
        ("2\t10\t5\t200", "2\t10\t5\t2e2", 11, "timestamp", "2e2"),
        ("3\t19\t2\t309", "x3\t19\t2\t309", 30, "user_id", "x3"),
        ("2\t10\t5\t200", "2\t10\t5", 11, "(whole line)", "2\t10\t5"),
        ("2\t10\t5\t200", "2\t10\t5\t200\t7", 11, "(whole line)", "2\t10\t5\t200\t7"),
        ("2\t10\t5\t200\n", "\n2\t10\t5\t200\n", 11, "(whole line)", ""),
    ] {
        let source = SmallMovielens::new();
        source.replace("u.data", from, to);
        assert_eq!(place(&source), at("u.data", line, column, value), "{to:?}");
    }
}

#[test]
fn malformed_attributes_are_named_too() {
    let source = SmallMovielens::new();
    source.replace("u.user", "|53|", "|old|");
    assert_eq!(place(&source), at("u.user", 2, "age", "old"));
    let source = SmallMovielens::new();
    source.replace("u.user", "|53|", "|-53|");
    assert_eq!(place(&source), at("u.user", 2, "age", "-53"));
    let source = SmallMovielens::new();
    source.replace("u.item", "|http://x|0|1|", "|http://x|0|3|");
    assert_eq!(place(&source), at("u.item", 1, "Action", "3"));
}

#[test]
fn windows_line_ends_and_a_missing_last_line_end_are_read() {
    let source = SmallMovielens::new();
    let expected = load(&source.config(), &|_| {}).unwrap();
    let text = fs::read_to_string(source.path("u.data")).unwrap();
    fs::write(source.path("u.data"), text.trim_end().replace('\n', "\r\n")).unwrap();
    let read = load(&source.config(), &|_| {}).unwrap();
    assert_eq!(read, expected);
}

#[test]
fn missing_and_empty_files_are_named() {
    let source = SmallMovielens::new();
    fs::remove_file(source.path("u.item")).unwrap();
    let said = message(&source.config());
    for part in ["movielens-100k/u.item does not exist", "data_dir or --data-dir", "https://grouplens.org"] {
        assert!(said.contains(part), "{said}");
    }
    let source = SmallMovielens::new();
    fs::write(source.path("u.data"), "").unwrap();
    assert!(message(&source.config()).ends_with("u.data has no data rows; download it again"));
}

#[test]
fn a_missing_column_lists_the_columns_found() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("kuairand-pure");
    fs::create_dir_all(&data).unwrap();
    for file in ["user_features_pure.csv", "video_features_basic_pure.csv"] {
        fs::write(data.join(file), "").unwrap();
    }
    fs::write(data.join("log_standard_4_22_to_5_08_pure.csv"), "user_id,video_id,time_ms\n1,2,3\n").unwrap();
    let mut config = DatasetConfig::new("kuairand-pure");
    config.data_dir = Some(folder.path().to_owned());
    config.cache_dir = folder.path().join("cache");
    let said = message(&config);
    assert!(said.contains("line 1: no column 'is_click' (found: user_id, video_id, time_ms)"), "{said}");
}

#[test]
fn one_class_and_empty_parts_are_refused() {
    let source = SmallMovielens::new();
    let mut config = source.config();
    config.positive_rating = Some(6.0);
    let said = message(&config);
    assert!(said.contains("every one of the 30 loaded labels is 0 (rating >= 6)"), "{said}");

    let mut config = source.config();
    config.validation_fraction = 0.01;
    let said = message(&config);
    assert!(said.contains("the validation part is empty (user-temporal, test 0.2, validation 0.01, 30 rows"), "{said}");

    // All rows at one instant cannot be cut by time.
    let text = fs::read_to_string(source.path("u.data")).unwrap();
    let at_once: Vec<String> = text.lines().map(|line| format!("{}\t7\n", line.rsplit_once('\t').unwrap().0)).collect();
    fs::write(source.path("u.data"), at_once.concat()).unwrap();
    let mut config = source.config();
    config.split = Some(SplitRule::GlobalTemporal);
    assert!(message(&config).contains("the training part is empty"), "{}", message(&config));
}

#[test]
fn impossible_settings_are_refused_before_reading() {
    let mut config = DatasetConfig::new("synthetic");
    config.positive_rating = Some(4.0);
    assert!(message(&config).contains("synthetic has clicks, not ratings: remove positive_rating"));
    config = DatasetConfig::new("synthetic");
    config.synthetic.users = 0;
    assert_eq!(message(&config), "dataset.synthetic.users = 0 is not possible: use at least 1");
    config = DatasetConfig::new("movielens-2m");
    assert!(message(&config).starts_with("unknown dataset 'movielens-2m'; known: synthetic, movielens-latest-small"));
}

//! The encoded cache: hit, rebuilt when its source changes, rebuilt when it is damaged.

mod small_movielens;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use ctr_data::{Dataset, DatasetConfig, load};
use small_movielens::SmallMovielens;

/// Loads and returns what progress said.
fn load_and_listen(config: &DatasetConfig) -> (Dataset, Vec<String>) {
    let messages = Mutex::new(Vec::new());
    let dataset = load(config, &|message| messages.lock().unwrap().push(message.to_owned())).unwrap();
    (dataset, messages.into_inner().unwrap())
}

fn came_from_cache(messages: &[String]) -> bool {
    messages.iter().any(|message| message.contains("samples from the cache"))
}

/// The files of the only cache folder below `cache_dir`.
fn cache_files(cache_dir: &Path) -> Vec<PathBuf> {
    let folder = fs::read_dir(cache_dir).unwrap().next().unwrap().unwrap().path();
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let names: Vec<_> = files.iter().map(|file| file.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(
        names,
        ["dataset.toml", "histories.parquet", "lists.parquet", "samples.parquet", "values.parquet"],
        "no temporary file is left"
    );
    files
}

#[test]
fn a_second_load_hits_the_cache_and_is_identical() {
    let source = SmallMovielens::new();
    let (built, messages) = load_and_listen(&source.config());
    assert!(!came_from_cache(&messages), "{messages:?}");
    let (read, messages) = load_and_listen(&source.config());
    assert!(came_from_cache(&messages), "{messages:?}");
    assert_eq!(built, read);
}

#[test]
fn the_synthetic_truth_survives_the_cache() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = DatasetConfig::new("synthetic");
    config.cache_dir = folder.path().to_owned();
    config.synthetic.users = 40;
    let (built, _) = load_and_listen(&config);
    let (read, messages) = load_and_listen(&config);
    assert!(came_from_cache(&messages) && read.samples.true_probability.is_some());
    assert_eq!(built, read);
}

#[test]
fn a_changed_source_or_configuration_rebuilds() {
    let source = SmallMovielens::new();
    let (before, _) = load_and_listen(&source.config());
    // The label of one row: same length, same time of change to the second, other bytes.
    source.replace("u.data", "1\t10\t5\t100", "1\t10\t1\t100");
    let (after, messages) = load_and_listen(&source.config());
    assert!(!came_from_cache(&messages), "{messages:?}");
    assert_ne!(before.facts.dataset_hash, after.facts.dataset_hash);
    let mut config = source.config();
    config.history_length = 3;
    assert!(!came_from_cache(&load_and_listen(&config).1));
    // The seed is read by user-random only.
    config.split_seed = 9;
    assert!(came_from_cache(&load_and_listen(&config).1));
}

#[test]
fn a_flipped_byte_or_a_truncated_file_is_found_and_rebuilt() {
    let source = SmallMovielens::new();
    let (built, _) = load_and_listen(&source.config());
    for file in cache_files(&source.config().cache_dir) {
        let whole = fs::read(&file).unwrap();
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 1;
        for damaged in [flipped, whole[..whole.len() / 2].to_vec(), Vec::new()] {
            fs::write(&file, damaged).unwrap();
            let (dataset, messages) = load_and_listen(&source.config());
            assert!(messages.iter().any(|message| message.contains("is corrupt")), "{file:?}: {messages:?}");
            assert_eq!(dataset, built);
            assert_eq!(fs::read(&file).unwrap(), whole, "the same bytes are written again");
        }
    }
}

#[test]
fn an_unfinished_cache_is_built_again() {
    let source = SmallMovielens::new();
    let (built, _) = load_and_listen(&source.config());
    fs::remove_file(&cache_files(&source.config().cache_dir)[0]).unwrap();
    let (dataset, messages) = load_and_listen(&source.config());
    assert!(!came_from_cache(&messages));
    assert_eq!(dataset, built);
}

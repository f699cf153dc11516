//! What an encoded cache was made from.

use std::fs::File;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::config::SplitRule;
use crate::descriptor::Descriptor;
use crate::{BadRowRule, DataError, DatasetConfig, NegativeSampling, SyntheticConfig};

/// Raised whenever the encoding or the cache's layout changes.
const CACHE_VERSION: u32 = 5;

/// The parts of a configuration that change the encoded dataset.
#[derive(Serialize)]
struct Relevant<'a> {
    split: SplitRule,
    test_fraction: f64,
    validation_fraction: f64,
    split_seed: Option<u64>,
    min_count: u32,
    history_length: usize,
    positive_rating: Option<f64>,
    user_id_feature: bool,
    bad_rows: BadRowRule,
    max_users: Option<usize>,
    negatives: Option<NegativeSampling>,
    synthetic: Option<&'a SyntheticConfig>,
}

/// BLAKE3, in hexadecimal, of code version, descriptor, relevant configuration, and the bytes of all `files`.
pub(crate) fn key(config: &DatasetConfig, descriptor: &Descriptor, files: &[PathBuf]) -> Result<String, DataError> {
    let relevant = Relevant {
        split: config.split_rule(),
        test_fraction: config.test_fraction,
        validation_fraction: config.validation_fraction,
        split_seed: (config.split_rule() == SplitRule::UserRandom || config.max_users.is_some())
            .then_some(config.split_seed),
        min_count: config.min_count,
        history_length: config.history_length,
        positive_rating: config.positive_rating,
        user_id_feature: config.user_id_feature,
        bad_rows: config.bad_rows,
        max_users: config.max_users,
        negatives: config.negatives,
        synthetic: descriptor.source.is_none().then_some(&config.synthetic),
    };
    let relevant = toml::to_string(&relevant)
        .map_err(|error| DataError::Descriptor { name: config.name.clone(), message: error.to_string() })?;
    let mut hasher = blake3::Hasher::new();
    for text in [env!("CARGO_PKG_VERSION"), &CACHE_VERSION.to_string(), &descriptor.text, &relevant] {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    for file in files {
        let name = file.file_name().unwrap_or_default().as_encoded_bytes();
        hasher.update(&(name.len() as u64).to_le_bytes());
        hasher.update(name);
        hasher.update(hash_file(file)?.as_bytes());
    }
    Ok(hasher.finalize().to_hex().to_string())
}

/// BLAKE3 of a file's bytes.
pub(crate) fn hash_file(path: &Path) -> Result<blake3::Hash, DataError> {
    let mut hasher = blake3::Hasher::new();
    let file = File::open(path).map_err(DataError::io("read", path))?;
    hasher.update_reader(file).map_err(DataError::io("read", path))?;
    Ok(hasher.finalize())
}

//! Hashes that say whether two runs saw the same data.

use crate::Split;
use crate::log::{Codes, Log, Recent};

/// BLAKE3 hashes in hexadecimal.
pub(crate) struct Hashes {
    /// Of users, items, times, labels, attributes and what was seen before the log.
    pub dataset: String,
    /// Of the dataset hash and each row's part.
    pub split: String,
}

/// Hashes `log` and its `splits`; every part is preceded by its length, so that none can pass for another.
pub(crate) fn hash(log: &Log, splits: &[Split]) -> Hashes {
    let mut hasher = blake3::Hasher::new();
    texts(&mut hasher, &log.user_keys);
    numbers(&mut hasher, log.user.iter().map(|value| value.to_le_bytes()));
    numbers(&mut hasher, log.item.iter().map(|value| value.to_le_bytes()));
    numbers(&mut hasher, log.time.iter().map(|value| value.to_le_bytes()));
    numbers(&mut hasher, log.label.iter().map(|value| [*value]));
    if let Some(probabilities) = &log.true_probability {
        numbers(&mut hasher, probabilities.iter().map(|value| value.to_le_bytes()));
    }
    for column in &log.columns {
        texts(&mut hasher, [&column.name]);
        texts(&mut hasher, &column.dictionary);
        match &column.codes {
            Codes::User(codes) | Codes::Item(codes) | Codes::Row(codes) => {
                numbers(&mut hasher, codes.iter().map(|value| value.to_le_bytes()));
            }
            Codes::Recent(Recent { values, times, ranges }) => {
                numbers(&mut hasher, values.iter().map(|value| value.to_le_bytes()));
                numbers(&mut hasher, times.iter().map(|value| value.to_le_bytes()));
                numbers(
                    &mut hasher,
                    ranges.iter().map(|range| (u64::from(range.0) << 32 | u64::from(range.1)).to_le_bytes()),
                );
            }
        }
    }
    for earlier in &log.earlier {
        hasher.update(&earlier.last_time.to_le_bytes());
        numbers(&mut hasher, earlier.items.iter().map(|value| value.to_le_bytes()));
    }
    for history in &log.row_histories {
        numbers(&mut hasher, history.iter().map(|value| value.to_le_bytes()));
    }
    let dataset = hasher.finalize();
    let mut hasher = blake3::Hasher::new();
    hasher.update(dataset.as_bytes());
    numbers(&mut hasher, splits.iter().map(|split| [*split as u8]));
    Hashes { dataset: dataset.to_hex().to_string(), split: hasher.finalize().to_hex().to_string() }
}

fn texts<'a>(hasher: &mut blake3::Hasher, texts: impl IntoIterator<Item = &'a String>) {
    for text in texts {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
}

/// Feeds fixed-width values through a buffer: one update per value would be slow.
fn numbers<const WIDTH: usize>(hasher: &mut blake3::Hasher, values: impl ExactSizeIterator<Item = [u8; WIDTH]>) {
    hasher.update(&(values.len() as u64).to_le_bytes());
    let mut buffer = Vec::with_capacity(1 << 16);
    for value in values {
        buffer.extend_from_slice(&value);
        if buffer.len() + WIDTH > buffer.capacity() {
            hasher.update(&buffer);
            buffer.clear();
        }
    }
    hasher.update(&buffer);
}

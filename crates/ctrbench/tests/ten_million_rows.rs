//! The largest synthetic dataset that is promised: 10 million rows, drawn user by user into the encoded dataset.
//!
//! A test binary of its own, since it reads the highest memory use of its process.

use ctr_data::{DatasetConfig, SyntheticConfig};

/// The encoded dataset itself is 62 bytes a row (9 ids, user, time, label, part, history range, probability) and 4 bytes
/// of history a positive, about 64 together; what else the way there needs must stay below half of that.
const BYTES_PER_ROW: u64 = 92;

#[test]
fn ten_million_rows_fit_a_gibibyte() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = DatasetConfig::new("synthetic");
    config.cache_dir = folder.path().to_owned();
    config.synthetic = SyntheticConfig { users: 110_000, items: 20_000, ..SyntheticConfig::default() };
    let drawn = ctr_data::load(&config, &|_| {}).expect("10 million rows");
    let rows = drawn.len() as u64;
    // A user has at least 10 rows and 90 on average.
    assert!((9_800_000..10_200_000).contains(&rows), "{rows}");
    assert_eq!(drawn.facts.users, 110_000);
    assert!((0.17..=0.21).contains(&drawn.facts.local_ctr.sd), "{}", drawn.facts.local_ctr.sd);
    if let Some(peak_bytes) = ctr_report::peak_memory_bytes() {
        println!("{rows} rows, at most {peak_bytes} bytes, {} a row", peak_bytes / rows);
        assert!(peak_bytes < 1 << 30 && peak_bytes / rows < BYTES_PER_ROW, "{peak_bytes} bytes for {rows} rows");
    }
}

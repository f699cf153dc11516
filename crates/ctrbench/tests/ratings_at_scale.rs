//! A ratings log of the size and layout of MovieLens-20M, and one of 100 million rows, prepared in bounded memory.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use assert_cmd::Command;
use tempfile::TempDir;

const MOVIES: u64 = 26_744;

/// `rows` ratings in the layout of MovieLens-20M: by user, 144 rows each on average, movies by falling popularity.
fn write_ratings(folder: &Path, rows: u64) {
    let mut log = BufWriter::new(File::create(folder.join("ratings.csv")).expect("creatable"));
    writeln!(log, "userId,movieId,rating,timestamp").expect("writable");
    // SplitMix64, since a generator of good quality would take longer than what is measured.
    let mut state = 1u64;
    let mut draw = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    for row in 0..rows {
        let popularity = (draw() >> 11) as f64 / (1u64 << 53) as f64;
        let movie = 1 + (MOVIES as f64 * popularity * popularity) as u64;
        let halves = 1 + draw() % 10;
        writeln!(
            log,
            "{},{movie},{}.{},{}",
            1 + row / 144,
            halves / 2,
            halves % 2 * 5,
            789_652_009 + draw() % 600_000_000
        )
        .expect("writable");
    }
    log.flush().expect("writable");
    let mut movies = BufWriter::new(File::create(folder.join("movies.csv")).expect("creatable"));
    writeln!(movies, "movieId,title,genres").expect("writable");
    for movie in 1..=MOVIES {
        writeln!(movies, "{movie},\"Movie, The {movie} ({})\",Genre {}|Drama", 1920 + movie % 100, movie % 900)
            .expect("writable");
    }
    movies.flush().expect("writable");
}

/// Prepares `rows` rows within `mebibytes`.
fn prepare(rows: u64, mebibytes: u64) {
    let folder = TempDir::new().expect("a folder");
    let data = folder.path().join("movielens-20m");
    std::fs::create_dir(&data).expect("creatable");
    write_ratings(&data, rows);
    let cache = format!("cache_dir=\"{}\"", folder.path().join("cache").display());
    let output = Command::cargo_bin("ctrbench")
        .expect("built")
        .args(["data", "prepare", "movielens-20m", "--json", "--quiet", "--set", &cache, "--data-dir"])
        .arg(folder.path())
        .output()
        .expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let prepared: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    println!("{prepared}");
    assert_eq!((&prepared["samples"], &prepared["users"]), (&rows.into(), &rows.div_ceil(144).into()));
    let peak = prepared["peak_memory_bytes"].as_u64().expect("measured") >> 20;
    assert!(peak < mebibytes, "{peak} MiB");
}

#[test]
fn twenty_million_ratings_are_prepared_within_3_gib() {
    prepare(20_000_263, 3 << 10);
}

/// 2.5 GB on disk and some minutes: `cargo test --release -p ctrbench --test ratings_at_scale -- --ignored --nocapture`.
#[test]
#[ignore = "2.5 GB on disk, and minutes"]
fn a_hundred_million_ratings_are_prepared_within_8_gib() {
    prepare(100_000_000, 8 << 10);
}

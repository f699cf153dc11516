//! `users.parquet` and `timings.parquet` of a made-up run.

use std::fs;

use ctr_report::{ReportError, UserBlock, UserRows, write_timings, write_users};
use polars::prelude::*;

use crate::made_up;

fn read(path: &std::path::Path) -> DataFrame {
    ParquetReader::new(fs::File::open(path).expect("written")).finish().expect("Parquet")
}

#[test]
fn every_row_and_column_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("users.parquet");
    let users = made_up::users(&[1, 2], 1, 2, 50);
    write_users(&path, &users).expect("writable");
    let frame = read(&path);
    let names = frame.get_column_names();
    assert_eq!(
        names,
        [
            "user",
            "model",
            "protocol",
            "method",
            "seed",
            "local_samples",
            "judged_samples",
            "local_ctr",
            "target_ctr",
            "drift",
            "auc_cloud",
            "auc",
            "logloss_cloud",
            "logloss"
        ]
    );
    // 2 seeds, 2 protocols, 2 methods.
    assert_eq!(frame.height(), 2 * 2 * 2 * 50);

    // The last block is the planted drift of the second seed.
    let (last, row) = (frame.height() - 1, users.blocks()[7].rows[49]);
    let text = |name: &str| frame.column(name).expect(name).str().expect("text").get(last).expect("a value").to_owned();
    let number = |name: &str| frame.column(name).expect(name).f64().expect("numbers").get(last);
    assert_eq!((text("user"), text("protocol"), text("method")), ("u49".into(), "planted-drift".into(), "none".into()));
    assert_eq!(frame.column("seed").expect("seed").u64().expect("integers").get(last), Some(2));
    assert_eq!(number("auc"), Some(row.auc));
    assert_eq!(number("target_ctr"), row.target_ctr);
    assert_eq!(number("drift"), Some(row.local_ctr - made_up::GLOBAL_CTR));
    assert_eq!(frame.column("target_ctr").expect("target_ctr").null_count(), frame.height() / 2);
}

#[test]
fn seconds_stand_in_a_file_of_their_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("timings.parquet");
    write_timings(&path, &made_up::users(&[1], 1, 2, 50)).expect("writable");
    let frame = read(&path);
    assert_eq!(frame.get_column_names(), ["user", "model", "protocol", "method", "seed", "seconds"]);
    assert_eq!(frame.column("seconds").expect("seconds").f64().expect("numbers").get(0), Some(0.0005));
}

#[test]
fn equal_rows_give_equal_bytes_whatever_their_seconds() {
    let folder = tempfile::tempdir().expect("a folder");
    let [first, second] = ["first", "second"].map(|name| folder.path().join(name));
    write_users(&first, &made_up::users(&[1], 1, 3, 2_000)).expect("writable");
    let mut slower = UserRows::new((0..2_000).map(|user| format!("u{user}")).collect(), made_up::GLOBAL_CTR);
    for block in made_up::users(&[1], 1, 3, 2_000).blocks() {
        let mut block: UserBlock = block.clone();
        block.rows.iter_mut().for_each(|row| row.seconds *= 2.0);
        slower.push(block).expect("users have keys");
    }
    write_users(&second, &slower).expect("writable");
    assert_eq!(fs::read(first).expect("written"), fs::read(second).expect("written"));
}

#[test]
fn several_row_groups_hold_all_rows_in_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("users.parquet");
    let users = made_up::users(&[1], 2, 6, 8_000);
    write_users(&path, &users).expect("writable");
    let frame = read(&path);
    let written: Vec<f64> = frame.column("auc").expect("auc").f64().expect("numbers").into_no_null_iter().collect();
    let expected: Vec<f64> = users.blocks().iter().flat_map(|block| &block.rows).map(|row| row.auc).collect();
    assert_eq!(expected.len(), 192_000);
    assert!(written == expected);
}

#[test]
fn a_run_without_users_writes_an_empty_file_with_the_same_columns() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("users.parquet");
    write_users(&path, &UserRows::new(Vec::new(), 0.5)).expect("writable");
    assert_eq!(read(&path).shape(), (0, 14));
}

#[test]
fn a_row_of_an_unknown_user_is_refused() {
    let mut users = UserRows::new(vec!["only".into()], 0.5);
    let block = made_up::users(&[1], 1, 1, 2).blocks()[0].clone();
    let refused = users.push(block);
    assert!(matches!(refused, Err(ReportError::UserIndex { user: 1, users: 1 })));
    assert!(users.blocks().is_empty());
}

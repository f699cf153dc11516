//! A made-up run written to its folder.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use ctr_report::{ReportError, RunFolder, RunRecord, UserRows, write_report};

use crate::made_up;

fn files(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path.strip_prefix(folder).expect("inside").to_string_lossy().into_owned());
            }
        }
    }
    files.sort();
    files
}

#[test]
fn a_finished_run_has_all_its_files_and_no_other() {
    let results = tempfile::tempdir().expect("a folder");
    let folder = RunFolder::create(results.path(), "made-up", SystemTime::now()).expect("creatable");
    folder.write_config("seeds = [1]\n").expect("writable");
    write_report(&made_up::record(&[1], 1, 3), &made_up::users(&[1], 1, 3, 100), &folder).expect("writable");
    insta::assert_snapshot!(files(folder.path()).join("\n"), @r#"
    config.toml
    plots/auc-change-by-drift-natural-lr.png
    plots/auc-change-by-drift-natural-lr.svg
    plots/auc-change-by-drift-planted-drift-lr.png
    plots/auc-change-by-drift-planted-drift-lr.svg
    plots/change-by-method-natural.png
    plots/change-by-method-natural.svg
    plots/change-by-method-planted-drift.png
    plots/change-by-method-planted-drift.svg
    plots/local-ctr-histogram.png
    plots/local-ctr-histogram.svg
    plots/metric-by-method-natural.png
    plots/metric-by-method-natural.svg
    plots/metric-by-method-planted-drift.png
    plots/metric-by-method-planted-drift.svg
    plots/planted-drift-curve.png
    plots/planted-drift-curve.svg
    run.json
    tables/cloud.csv
    tables/cloud.json
    tables/cloud.md
    tables/natural.csv
    tables/natural.json
    tables/natural.md
    tables/planted-drift-0.1.csv
    tables/planted-drift-0.1.json
    tables/planted-drift-0.1.md
    tables/planted-drift-0.2.csv
    tables/planted-drift-0.2.json
    tables/planted-drift-0.2.md
    tables/planted-drift-0.3.csv
    tables/planted-drift-0.3.json
    tables/planted-drift-0.3.md
    tables/planted-drift-0.8.csv
    tables/planted-drift-0.8.json
    tables/planted-drift-0.8.md
    tables/planted-drift-0.9.csv
    tables/planted-drift-0.9.json
    tables/planted-drift-0.9.md
    tables/planted-drift-0.95.csv
    tables/planted-drift-0.95.json
    tables/planted-drift-0.95.md
    tables/planted-drift.csv
    tables/planted-drift.json
    tables/planted-drift.md
    timings.parquet
    users.parquet
    "#);
}

#[test]
fn a_report_of_nothing_yet_and_then_of_more_replaces_its_files() {
    let results = tempfile::tempdir().expect("a folder");
    let folder = RunFolder::create(results.path(), "made-up", SystemTime::now()).expect("creatable");
    let mut record = made_up::record(&[1], 1, 2);
    let cells = std::mem::take(&mut record.cells);
    record.curve.clear();
    write_report(&record, &UserRows::new(Vec::new(), 0.5), &folder).expect("writable");
    assert_eq!(files(folder.path()), ["run.json", "tables/cloud.csv", "tables/cloud.json", "tables/cloud.md"]);

    record.cells = cells[..1].to_vec();
    folder.write_tables(&record).expect("writable");
    let table = || fs::read_to_string(folder.path().join("tables/natural.md")).expect("written");
    assert!(!table().contains("| none |"));
    record.cells = cells;
    folder.write_tables(&record).expect("writable");
    assert!(table().contains("| none |"));
}

#[test]
fn the_record_is_read_back_as_it_was() {
    let results = tempfile::tempdir().expect("a folder");
    let folder = RunFolder::create(results.path(), "made-up", SystemTime::now()).expect("creatable");
    let mut record = made_up::record(&[1, 2], 2, 2);
    folder.write_record(&record).expect("writable");
    let path = folder.path().join("run.json");
    let read = RunRecord::read(&path).expect("a record");
    assert_eq!(read.models, record.models);
    assert_eq!(read.cells.len(), record.cells.len());
    assert_eq!((read.system, read.code), (record.system.clone(), record.code.clone()));

    record.schema_version = 99;
    folder.write_record(&record).expect("writable");
    let refused = RunRecord::read(&path);
    assert!(matches!(refused, Err(ReportError::SchemaVersion { found: 99, expected: 3, .. })), "{refused:?}");

    fs::write(&path, "{\n  \"schema_version\": 3,\n  \"name\": 3\n}").expect("writable");
    let message = RunRecord::read(&path).unwrap_err().to_string();
    assert!(message.contains("run.json is not a run record") && message.contains("line 3"), "{message}");
}

#[test]
fn tables_of_target_ctrs_that_are_no_more_go() {
    let results = tempfile::tempdir().expect("a folder");
    let folder = RunFolder::create(results.path(), "made-up", SystemTime::now()).expect("creatable");
    let mut record = made_up::record(&[1], 1, 2);
    folder.write_tables(&record).expect("writable");
    fs::write(folder.path().join("tables/notes.md"), "a user's own").expect("writable");
    record.curve.retain(|point| point.target_ctr == 0.9);
    record.curve.iter_mut().for_each(|point| point.target_ctr = 0.85);
    folder.write_tables(&record).expect("writable");
    let left: Vec<String> = files(folder.path()).into_iter().filter(|file| file.ends_with(".md")).collect();
    assert_eq!(
        left,
        ["cloud", "natural", "notes", "planted-drift-0.85", "planted-drift"].map(|name| format!("tables/{name}.md"))
    );
}

/// Every method but the cloud has one at every target CTR of every panel.
#[test]
fn the_planted_drift_curve_has_whiskers() {
    let results = tempfile::tempdir().expect("a folder");
    let folder = RunFolder::create(results.path(), "made-up", SystemTime::now()).expect("creatable");
    folder.write_plots(&made_up::record(&[1], 2, 3), &made_up::users(&[1], 2, 3, 10)).expect("writable");
    let svg = fs::read_to_string(folder.path().join("plots/planted-drift-curve.svg")).expect("written");
    let (models, metrics, methods, targets) = (2, 3, 2, 6);
    assert_eq!(svg.matches("opacity=\"0.6\"").count(), models * metrics * methods * targets);
}

#[test]
fn plots_repeat_byte_for_byte() {
    let results = tempfile::tempdir().expect("a folder");
    let (record, users) = (made_up::record(&[1], 1, 3), made_up::users(&[1], 1, 3, 100));
    let [first, second] = [(), ()].map(|()| {
        let folder = RunFolder::create(results.path(), "made-up", SystemTime::now()).expect("creatable");
        folder.write_plots(&record, &users).expect("writable");
        folder
    });
    for file in files(first.path()) {
        let bytes = |folder: &RunFolder| fs::read(folder.path().join(&file)).expect("written");
        assert!(bytes(&first) == bytes(&second), "{file}");
    }
}

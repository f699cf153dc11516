//! The binary itself: what it prints, what it writes, how it fails.

use assert_cmd::Command;
use std::io::{BufRead, BufReader};
use std::{fs, path::Path, path::PathBuf};
use tempfile::TempDir;

fn ctrbench() -> Command {
    let mut command = Command::cargo_bin("ctrbench").expect("the binary");
    command.env_remove("CTRBENCH_DATA");
    command
}

/// A run small enough for a test, with its folders inside `folder`.
fn tiny(folder: &Path) -> Command {
    let config = folder.join("tiny.toml");
    let text = format!(
        "name = 'tiny'\nseeds = [1, 2]\nresults_dir = '{0}/results'\nmodels = ['lr', 'deepfm', 'din']\n\
         methods = ['none', 'prior-alignment', 'bias-only']\n\
         [dataset]\nname = 'synthetic'\ncache_dir = '{0}/cache'\nhistory_length = 5\n\
         [dataset.synthetic]\nusers = 80\nitems = 60\nrows_per_user = 40.0\n\
         [training]\nbatch_size = 128\nepochs = 2\n[fine_tuning]\nmin_samples = 5\n[bootstrap]\nresamples = 40\n",
        folder.display()
    );
    fs::write(&config, text).expect("writable");
    let mut command = ctrbench();
    command.arg("run").arg(config);
    command
}

/// The run folders below `folder`, oldest first.
fn runs(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.join("results/tiny")).expect("a results folder");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

fn fails_with(command: &mut Command, parts: &[&str]) {
    let output = command.output().expect("it starts");
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
    assert!(!message.contains("panicked"), "{message}");
}

#[test]
fn a_run_prints_tables_and_leaves_every_file() {
    let folder = TempDir::new().expect("a folder");
    let output = tiny(folder.path()).output().expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let stdout = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(stdout.contains("natural protocol") && stdout.contains("planted-drift protocol"), "{stdout}");
    let run = runs(folder.path()).remove(0);
    assert!(stdout.ends_with(&format!("Results: {}\n", run.display())), "{stdout}");
    for file in [
        "config.toml",
        "run.json",
        "users.parquet",
        "timings.parquet",
        "excluded-users-natural.csv",
        "tables/natural.md",
        "tables/planted-drift.csv",
        "tables/planted-drift-0.95.json",
        "plots/metric-by-method-natural.svg",
        "plots/metric-by-method-planted-drift.png",
        "plots/local-ctr-histogram.svg",
        "plots/planted-drift-curve.png",
        "plots/auc-change-by-drift-natural-deepfm.svg",
        "checkpoints/deepfm-seed2.safetensors",
    ] {
        assert!(run.join(file).metadata().is_ok_and(|data| data.len() > 0), "{file} is missing or empty");
    }
    let record: serde_json::Value =
        serde_json::from_slice(&fs::read(run.join("run.json")).expect("readable")).expect("JSON");
    assert_eq!(record["finished"], true);
    assert_eq!(record["models"].as_array().map(Vec::len), Some(6));
    assert_eq!(record["models"][5]["train_devices"], serde_json::json!(["cpu"]));
    // 3 models x 2 seeds x 2 protocols x (cloud + 3 methods)
    let cells = record["cells"].as_array().expect("cells");
    assert_eq!(cells.len(), 48);
    for cell in cells.iter().filter(|cell| cell["method"] == "bias-only") {
        assert_eq!(cell["change"]["gauc"]["value"], 0.0, "{cell}");
    }
    the_curve_splits_the_users_of_its_cells(&record);
}

/// A mean over all users is that of the target CTRs' means, each by its number of users; and a change is a difference.
fn the_curve_splits_the_users_of_its_cells(record: &serde_json::Value) {
    let list = |name: &str| record[name].as_array().expect("a list");
    let number = |value: &serde_json::Value| value.as_f64().expect("a number");
    let same =
        |a: &serde_json::Value, b: &serde_json::Value| ["model", "seed", "method"].iter().all(|key| a[*key] == b[*key]);
    for cell in list("cells").iter().filter(|cell| cell["protocol"] == "planted-drift") {
        let points: Vec<&serde_json::Value> = list("curve").iter().filter(|point| same(point, cell)).collect();
        let users: f64 = points.iter().map(|point| number(&point["users"])).sum();
        assert_eq!(users, number(&cell["users_evaluated"]), "{cell}");
        let mean = |key: &str| {
            let sum: f64 = points
                .iter()
                .map(|point| number(&point["users"]) * number(&point[key]["auc_user_mean"]["value"]))
                .sum();
            sum / users
        };
        assert!((mean("metrics") - number(&cell["metrics"]["auc_user_mean"]["value"])).abs() < 1e-12, "{cell}");
        if cell["method"] == "cloud" {
            assert!(points.iter().all(|point| point["change"] == serde_json::json!({})), "{cell}");
            continue;
        }
        assert!((mean("change") - number(&cell["change"]["auc_user_mean"]["value"])).abs() < 1e-12, "{cell}");
        if cell["method"] == "none" {
            let wide = |point: &&serde_json::Value| {
                number(&point["change"]["logloss"]["low"]) < number(&point["change"]["logloss"]["high"])
            };
            assert!(points.iter().all(wide), "{cell}");
        }
    }
}

/// With one target CTR its users are all users, and so is the rest: values and intervals.
#[test]
fn a_curve_of_one_point_is_its_cell() {
    let folder = TempDir::new().expect("a folder");
    let set = ["models=['lr']", "protocols=['planted-drift']", "planted_drift.target_ctrs=[0.3]"];
    tiny(folder.path())
        .args(["--quiet", "--seed", "1"])
        .args(set.iter().flat_map(|set| ["--set", set]))
        .assert()
        .success();
    let record: serde_json::Value =
        serde_json::from_slice(&fs::read(runs(folder.path())[0].join("run.json")).expect("readable")).expect("JSON");
    let list = |name: &str| record[name].as_array().expect("a list");
    assert_eq!((list("cells").len(), list("curve").len()), (4, 4));
    for (cell, point) in list("cells").iter().zip(list("curve")) {
        for key in ["method", "metrics", "change"] {
            assert_eq!(cell[key], point[key], "{key}");
        }
    }
}

/// Settings are chosen without a look at the test part: the users' samples of the other part rank, and every table says so.
#[test]
fn a_run_judged_on_the_validation_part_says_so_and_never_touches_the_test_part() {
    let folder = TempDir::new().expect("a folder");
    let only_lr = ["--seed", "1", "--set", "models=['lr']"];
    tiny(folder.path()).args(only_lr).assert().success();
    let output =
        tiny(folder.path()).args(only_lr).args(["--set", "judged_part=validation"]).output().expect("it starts");
    let stdout = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(stdout.contains("natural protocol on synthetic, judged on the validation part, on cpu\n"), "{stdout}");
    let runs = runs(folder.path());
    let record = |run: &Path| -> serde_json::Value {
        serde_json::from_slice(&fs::read(run.join("run.json")).expect("readable")).expect("JSON")
    };
    let (test, validation) = (record(&runs[0]), record(&runs[1]));
    assert_eq!((&test["judged_part"], &validation["judged_part"]), (&"test".into(), &"validation".into()));
    // The same cloud model, whose kept epoch was chosen on the validation part by the metric that is reported here.
    let (model, best) = (&validation["models"][0], &validation["models"][0]["best_epoch"]);
    assert_eq!(model["train_metric_history"], test["models"][0]["train_metric_history"]);
    let chosen = &model["train_metric_history"][best.as_u64().expect("an epoch") as usize - 1];
    assert_eq!(&model["metrics"]["auc"]["value"], chosen);
    assert_ne!(model["metrics"], test["models"][0]["metrics"]);
    let markdown = fs::read_to_string(runs[1].join("tables/planted-drift.md")).expect("a table");
    assert!(
        markdown.starts_with("## Planted-drift protocol on synthetic, judged on the validation part, on cpu\n"),
        "{markdown}"
    );
}

/// Without protocols nothing is fine-tuned: no user files, and one table, that of the cloud models.
#[test]
fn a_run_without_protocols_trains_cloud_models_only() {
    let folder = TempDir::new().expect("a folder");
    let output = tiny(folder.path()).args(["--seed", "1", "--set", "protocols=[]"]).output().expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let stdout = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(stdout.starts_with("cloud models on synthetic, judged on the whole test part, on cpu\n"), "{stdout}");
    let run = &runs(folder.path())[0];
    let record: serde_json::Value =
        serde_json::from_slice(&fs::read(run.join("run.json")).expect("readable")).expect("JSON");
    assert_eq!((&record["finished"], record["cells"].as_array().map(Vec::len)), (&true.into(), Some(0)));
    let table = fs::read_to_string(run.join("tables/cloud.json")).expect("a table");
    let table: serde_json::Value = serde_json::from_str(&table).expect("JSON");
    assert_eq!(table["rows"][0]["metrics"]["auc"]["value"], record["models"][0]["metrics"]["auc"]["value"]);
    assert!(!run.join("users.parquet").exists());
}

/// What `run.json` says of results, without times, memory and run id.
fn results(run: &Path) -> serde_json::Value {
    let record: serde_json::Value =
        serde_json::from_slice(&fs::read(run.join("run.json")).expect("readable")).expect("JSON");
    let mut results =
        serde_json::json!({"models": record["models"], "cells": record["cells"], "curve": record["curve"]});
    for (list, keys) in
        [("models", ["train_seconds", "train_rows_per_second"]), ("cells", ["fine_tune_seconds", "users_per_second"])]
    {
        for entry in results[list].as_array_mut().expect("a list") {
            keys.iter().for_each(|key| drop(entry.as_object_mut().expect("an object").remove(*key)));
        }
    }
    results
}

/// The record says that the run was killed.
fn mark_unfinished(run: &Path) {
    let record = fs::read_to_string(run.join("run.json")).expect("readable");
    let killed = record.replace("\"finished\": true", "\"finished\": false");
    assert_ne!(record, killed);
    fs::write(run.join("run.json"), killed).expect("writable");
}

/// Nothing is trained or fine-tuned again.
#[test]
fn a_finished_run_is_shown_when_it_is_resumed() {
    let folder = TempDir::new().expect("a folder");
    let first = tiny(folder.path()).args(["--quiet", "--set", "models=['lr']"]).output().expect("it starts");
    let run = runs(folder.path()).remove(0);
    let record = fs::read(run.join("run.json")).expect("readable");
    fs::remove_dir_all(run.join("checkpoints")).expect("removable");
    for (quiet, said) in [(&[][..], true), (&["--quiet"], false)] {
        let again = ctrbench().args(["run", "--resume"]).arg(&run).args(quiet).output().expect("it starts");
        let message = String::from_utf8_lossy(&again.stderr);
        assert!(again.status.success(), "{message}");
        assert!(if said { message.contains("this run is finished") } else { message.is_empty() }, "{message}");
        assert_eq!(again.stdout, first.stdout);
    }
    assert!(fs::read(run.join("run.json")).expect("readable") == record && !run.join("checkpoints").exists());

    let config = run.join("config.toml");
    let edited = fs::read_to_string(&config).expect("readable").replace("min_samples = 5", "min_samples = 6");
    fs::write(&config, edited).expect("writable");
    let again = ctrbench().args(["run", "--resume"]).arg(&run).output().expect("it starts");
    let message = String::from_utf8_lossy(&again.stderr);
    assert!(message.contains("its config.toml was changed since") && again.stdout == first.stdout, "{message}");
}

/// One process at a time writes into a run's folder.
#[test]
fn a_run_that_another_process_works_on_is_refused() {
    let folder = TempDir::new().expect("a folder");
    drop(tiny(folder.path()));
    let mut run = Killed(
        std::process::Command::new(assert_cmd::cargo::cargo_bin("ctrbench"))
            .arg("run")
            .arg(folder.path().join("tiny.toml"))
            .args(["--no-progress", "--set", "models=['lr']"])
            .args(["--set", "training.epochs=100000", "--set", "training.patience=100000"])
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("it starts"),
    );
    let stderr = BufReader::new(run.0.stderr.take().expect("piped"));
    assert!(stderr.lines().any(|line| line.expect("UTF-8").contains("epoch 1:")), "it trains");
    let path = runs(folder.path()).remove(0);
    fails_with(ctrbench().args(["run", "--resume"]).arg(&path), &["is being written by another ctrbench"]);
}

/// A process that does not outlive its test.
struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_cloud_model_worse_than_a_constant_is_pointed_out() {
    let folder = TempDir::new().expect("a folder");
    for (learning_rate, said) in [("1e6", true), ("2e-2", false)] {
        let set = format!("training.optimizer.learning_rate={learning_rate}");
        let run = tiny(folder.path()).args(["--set", "models=['lr']", "--set", &set]).output().expect("it starts");
        let message = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success(), "{message}");
        assert_eq!(message.contains("times that of always predicting the share of positives"), said, "{message}");
    }
}

/// A record that a full disk cut short, say.
#[test]
fn a_record_that_cannot_be_read_is_written_again_once_it_is_deleted() {
    let folder = TempDir::new().expect("a folder");
    tiny(folder.path()).args(["--quiet", "--set", "models=['lr']"]).assert().success();
    let run = runs(folder.path()).remove(0);
    let (record, before) = (run.join("run.json"), results(&run));
    let text = fs::read(&record).expect("readable");
    fs::write(&record, &text[..text.len() / 2]).expect("writable");
    let resume = || {
        let mut command = ctrbench();
        command.args(["run", "--quiet", "--resume"]).arg(&run);
        command
    };
    fails_with(&mut resume(), &["run.json is not a run record", "or delete it"]);
    fs::remove_file(&record).expect("removable");
    resume().assert().success();
    assert_eq!(results(&run), before);
}

#[test]
fn one_and_two_threads_and_a_resumed_run_give_the_same_bytes() {
    let folder = TempDir::new().expect("a folder");
    for threads in ["1", "2"] {
        tiny(folder.path()).args(["--quiet", "--threads", threads]).assert().success();
    }
    let paths = runs(folder.path());
    let (one, two) = (&paths[0], &paths[1]);
    let users = |run: &Path| fs::read(run.join("users.parquet")).expect("readable");
    assert!(users(one) == users(two), "users.parquet differs between 1 and 2 threads");
    assert_eq!(results(one), results(two));
    // As a killed run leaves it: one model trained, the other not.
    let before = users(two);
    fs::remove_file(two.join("users.parquet")).expect("removable");
    mark_unfinished(two);
    fs::remove_file(two.join("checkpoints/deepfm-seed2.safetensors")).expect("removable");
    ctrbench().args(["run", "--quiet", "--resume"]).arg(two).assert().success();
    assert!(users(two) == before, "users.parquet differs after --resume");
    assert_eq!(results(one), results(two));
    let other_seed = tiny(folder.path()).args(["--quiet", "--seed", "3"]).assert().success();
    drop(other_seed);
    assert!(users(&runs(folder.path())[2]) != before, "another seed gives other users");
}

/// Products of rounded factors: other results where there are dense layers, and the same at any number of threads.
#[test]
fn bf16_changes_the_models_that_have_dense_layers() {
    let folder = TempDir::new().expect("a folder");
    for (matmul, threads) in [("float32", "2"), ("bf16", "1"), ("bf16", "2")] {
        tiny(folder.path())
            .args(["--quiet", "--seed", "1", "--matmul", matmul, "--threads", threads])
            .assert()
            .success();
    }
    let found: Vec<_> = runs(folder.path()).iter().map(|run| results(run)).collect();
    assert_eq!(found[1], found[2]);
    for (exact, rounded) in
        found[0]["models"].as_array().expect("a list").iter().zip(found[1]["models"].as_array().expect("a list"))
    {
        assert_eq!(exact == rounded, exact["model"] == "lr", "{}", exact["model"]);
    }
}

/// A run that is killed between two methods keeps every method before.
#[cfg(unix)]
#[test]
fn a_killed_run_keeps_the_methods_that_were_finished() {
    let folder = TempDir::new().expect("a folder");
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("ctrbench"));
    command.args(
        tiny(folder.path())
            .args(["--quiet", "--seed", "1", "--set", "models=['din']", "--set", "fine_tuning.epochs=40"])
            .get_args(),
    );
    let mut child = command.spawn().expect("it starts");
    let record = || -> Option<(PathBuf, serde_json::Value)> {
        let run = fs::read_dir(folder.path().join("results/tiny")).ok()?.next()?.ok()?.path();
        let text = fs::read(run.join("run.json")).ok()?;
        // Also while it is rewritten, the file is complete.
        Some((run, serde_json::from_slice(&text).expect("JSON")))
    };
    let cells = |record: &serde_json::Value| record["cells"].as_array().map_or(0, Vec::len);
    while record().is_none_or(|(_, record)| cells(&record) < 2) {
        assert!(child.try_wait().expect("a status").is_none(), "it ended before it could be killed");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    child.kill().expect("killable");
    child.wait().expect("it ends");
    let (run, record) = record().expect("a record");
    assert_eq!(record["finished"], false);
    assert!((2..5).contains(&cells(&record)), "the first protocol has a cloud row and 3 methods: {}", cells(&record));
    let table = fs::read_to_string(run.join("tables/natural.md")).expect("a table");
    assert!(table.contains("| din | cloud |"), "{table}");
}

/// A method that diverges loses nothing of the methods before it, and a resumed run that fails loses nothing of the run.
#[test]
fn a_failing_run_keeps_what_was_finished() {
    let folder = TempDir::new().expect("a folder");
    let diverging = "fine_tuning.optimizer.learning_rate=1e30";
    let methods = "methods=['bias-only', 'none', 'shift']";
    let models = "models=['deepfm']";
    fails_with(
        tiny(folder.path()).args(["--quiet", "--set", methods, "--set", models, "--set", diverging]),
        &["with `none`", "lower fine_tuning"],
    );
    let run = runs(folder.path()).remove(0);
    let cells = |run: &Path| {
        let record: serde_json::Value =
            serde_json::from_slice(&fs::read(run.join("run.json")).expect("readable")).expect("JSON");
        assert_eq!(record["models"].as_array().map(Vec::len).unwrap_or_default().min(1), 1);
        record["cells"].as_array().map(Vec::len)
    };
    assert_eq!(cells(&run), Some(2), "cloud and bias-only");
    assert!(run.join("users.parquet").exists() && run.join("tables/natural.md").exists());

    tiny(folder.path()).arg("--quiet").assert().success();
    let run = runs(folder.path()).remove(1);
    mark_unfinished(&run);
    let before =
        [fs::read(run.join("users.parquet")), fs::read(run.join("run.json"))].map(|file| file.expect("readable"));
    let config = fs::read_to_string(run.join("config.toml")).expect("readable");
    let broken = config.replace("learning_rate = 0.05", "learning_rate = 1e30");
    assert_ne!(config, broken);
    fs::write(run.join("config.toml"), broken).expect("writable");
    fails_with(ctrbench().args(["run", "--quiet", "--resume"]).arg(&run), &["lower fine_tuning"]);
    let after =
        [fs::read(run.join("users.parquet")), fs::read(run.join("run.json"))].map(|file| file.expect("readable"));
    assert!(before == after, "the earlier results are still there");
}

#[test]
fn a_malformed_row_is_named_and_leaves_no_run_folder() {
    let folder = TempDir::new().expect("a folder");
    let data = folder.path().join("data/movielens-100k");
    fs::create_dir_all(&data).expect("a folder");
    fs::write(data.join("u.data"), "196\t242\t3\t881250949\n186\t302\tthree\t891717742\n").expect("writable");
    fs::write(data.join("u.user"), "186|24|M|technician|85711\n196|53|F|other|94043\n").expect("writable");
    let item = |id: u32| format!("{id}|Title (1995)|01-Jan-1995||http://x|0{}\n", "|0".repeat(18));
    fs::write(data.join("u.item"), item(242) + &item(302)).expect("writable");
    fails_with(
        tiny(folder.path())
            .args(["--quiet", "--set", "dataset.name=movielens-100k", "--data-dir"])
            .arg(folder.path().join("data")),
        &["u.data", "line 2", "rating", "three"],
    );
    assert!(!folder.path().join("results").exists());
}

#[test]
fn quiet_writes_nothing_to_stderr_and_json_is_the_record() {
    let folder = TempDir::new().expect("a folder");
    let output = tiny(folder.path())
        .args(["--quiet", "--json", "--seed", "1", "--set", "models=['lr']"])
        .output()
        .expect("it starts");
    assert!(output.status.success());
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let record: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&record["schema_version"], &record["name"]), (&3.into(), &"tiny".into()));
}

#[test]
fn wrong_configurations_name_the_key_and_the_remedy() {
    let folder = TempDir::new().expect("a folder");
    for (set, parts) in [
        ("trainings.epochs=3", &["unknown field `trainings`", "expected one of"][..]),
        ("training.epochs=many", &["training.epochs=many", "expected a whole number of at least 0"]),
        ("training.epochs=0", &["with --set training.epochs=0: training.epochs is 0; it must be at least 1"]),
        ("seeds=abc", &["seeds=abc", "expected a list, as in [1, 2]"]),
        ("training.optimizer.learning_rate=-1", &["learning_rate is -1; it must be positive"]),
        ("models=['lr', 'xdeepfm']", &["model `xdeepfm` is not known", "deepfm"]),
        ("model.deepfm.mlp.dropout=1.5", &["[model.deepfm]", "dropout is 1.5; it must be in [0, 1)"]),
        ("model.deepfm.hidden=[1]", &["[model.deepfm]", "unknown field `hidden`"]),
        (
            "methods=['head-only', 'none+head-only']",
            &["methods lists `head-only` and `none+head-only`, which do the same; keep one"],
        ),
        ("methods=['magic']", &["`magic` in method `magic` is not known", "prior-alignment"]),
        ("dataset.name=netflix", &["netflix", "known: "]),
        ("dataset.history_length=0", &["history_length"]),
        ("fine_tuning.optimizer.learning_rate=0", &["fine_tuning.optimizer.learning_rate is 0; it must be positive"]),
        ("bootstrap.samples=3", &["unknown field `samples`"]),
        ("protocols=['natural', 'natural']", &["protocols lists natural twice"]),
        ("seeds=[-1]", &["seeds=[-1]"]),
        ("models=['a/b']", &["models lists `a/b`; use letters"]),
        ("dataset.test_fraction=1.5", &["=1.5: dataset.test_fraction = 1.5 is not possible: choose a share"]),
        ("bootstrap.resamples=39", &["bootstrap has 39 resamples", "use at least 40"]),
        ("planted_drift.target_ctrs=[1.2]", &["target_ctrs holds 1.2; each must be in [0, 1]"]),
        ("device=tpu", &["device: `tpu` is not known; use auto, cpu, cuda"]),
        ("matmul=fp16", &["matmul: `fp16` is not a precision", "float32, tf32 or bf16"]),
        ("matmul=tf32", &["matmul is tf32, which cpu does not have; use float32 or bf16 there"]),
        ("training.batch_size=100000", &["fewer than one batch of 100000; lower training.batch_size"]),
        ("training.optimizer.learning_rate=1e30", &["lower training.optimizer.learning_rate"]),
        ("fine_tuning.min_samples=5000", &["no user is left", "lower fine_tuning.min_samples (now 5000)"]),
        ("training.learning_rate_factor=0.5", &["learning_rate_factor is 0.5", "raise training.patience above 1"]),
        ("dataset.history_length=100000000000", &["history_length", "100000000000"]),
        ("seeds", &["--set seeds: there is no `=`"]),
        ("name=../elsewhere", &["name: \"../elsewhere\" cannot be a run's name"]),
        ("results_dir=''", &["results_dir is empty; give a folder"]),
        ("dataset.cache_dir=''", &["cache_dir", "give a folder"]),
    ] {
        fails_with(tiny(folder.path()).args(["--quiet", "--set", set]), parts);
    }
    let beside_the_cache = format!("results_dir='{}'", folder.path().display());
    fails_with(
        tiny(folder.path()).args(["--set", "name=cache", "--set", &beside_the_cache]),
        &["name is `cache`, but datasets are cached in that folder; choose another name"],
    );
}

#[test]
fn a_syntax_error_names_the_line() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("broken.toml");
    fs::write(&path, "name = 'x'\nseeds = = 1\n[dataset]\nname = 'synthetic'\n").expect("writable");
    fails_with(ctrbench().arg("run").arg(&path), &["broken.toml", "line 2"]);
    fs::write(&path, "name = 'x'\n[dataset]\nname = 'synthetic'\n[training]\nepoch = 3\n").expect("writable");
    fails_with(ctrbench().arg("run").arg(&path), &["line 5", "unknown field `epoch`", "`epochs`"]);
    let no_such = folder.path().join("no-such.toml");
    fails_with(ctrbench().arg("run").arg(no_such), &["no-such.toml: cannot be read", "quickstart"]);
    let no_run = folder.path().join("no-run");
    fails_with(ctrbench().args(["run", "--resume"]).arg(no_run), &["no-run: not the folder of a run"]);
}

#[cfg(not(feature = "cuda"))]
#[test]
fn a_device_that_is_not_compiled_in_names_its_feature() {
    let folder = TempDir::new().expect("a folder");
    fails_with(
        tiny(folder.path()).args(["--device", "cuda"]),
        &["no CUDA support", "scripts/cuda-build.sh", "--features cuda"],
    );
}

/// Hides every GPU, so that a machine with one is as one without.
#[cfg(feature = "cuda")]
#[test]
fn a_gpu_that_is_not_there_is_named_with_a_remedy() {
    let folder = TempDir::new().expect("a folder");
    fails_with(
        tiny(folder.path()).args(["--device", "cuda"]).env("CUDA_VISIBLE_DEVICES", ""),
        &["device cuda:0 cannot be opened: no NVIDIA ", "--device cpu"],
    );
    assert!(!folder.path().join("results").exists());
}

/// The fallback is told, is what the record names, and computes what the CPU computes.
#[cfg(not(feature = "metal"))]
#[test]
fn auto_without_a_gpu_runs_on_the_cpu_and_gives_the_same_bytes() {
    let folder = TempDir::new().expect("a folder");
    let on = |device: &str| {
        let output = tiny(folder.path())
            .args(["--seed", "1", "--device", device])
            .env("CUDA_VISIBLE_DEVICES", "")
            .output()
            .expect("it starts");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{stderr}");
        stderr
    };
    let notice = "device auto: running on the CPU, since ";
    assert!(!on("cpu").contains(notice));
    let stderr = on("auto");
    let why = if cfg!(feature = "cuda") { "cuda:0 cannot be opened: " } else { "neither CUDA nor Metal" };
    assert!(stderr.contains(notice) && stderr.contains(why), "{stderr}");
    let runs = runs(folder.path());
    let same = |file: &str| fs::read(runs[0].join(file)).expect("readable") == fs::read(runs[1].join(file)).unwrap();
    for file in ["users.parquet", "config.toml"] {
        assert!(same(file), "{file} differs between cpu and auto");
    }
    assert_eq!(results(&runs[0]), results(&runs[1]));
    let config = fs::read_to_string(runs[1].join("config.toml")).expect("readable");
    assert!(config.contains("device = \"cpu\""), "{config}");
    // Asked to print nothing else, it does not print the notice either.
    let quiet = tiny(folder.path())
        .args(["--quiet", "--seed", "1", "--device", "auto", "--set", "models=['lr']", "--set", "protocols=[]"])
        .env("CUDA_VISIBLE_DEVICES", "")
        .output()
        .expect("it starts");
    assert!(quiet.status.success() && quiet.stderr.is_empty(), "{}", String::from_utf8_lossy(&quiet.stderr));
}

#[test]
fn missing_data_say_where_to_put_them() {
    let folder = TempDir::new().expect("a folder");
    fails_with(ctrbench().args(["data", "inspect", "movielens-1m"]), &["--data-dir", "CTRBENCH_DATA", "movielens-1m"]);
    fails_with(
        ctrbench().args(["data", "inspect", "movielens-1m", "--data-dir"]).arg(folder.path()),
        &["does not exist", "grouplens.org"],
    );
}

#[test]
fn lists_of_models_corrections_and_dataset_facts() {
    let folder = TempDir::new().expect("a folder");
    let stdout = |command: &mut Command| {
        let output = command.output().expect("it starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let corrections = stdout(ctrbench().arg("corrections"));
    for name in ["prior-alignment", "cloud-anchored", "logit-adjustment", "l2-sp", "2007.07314"] {
        assert!(corrections.contains(name), "{corrections}");
    }
    let cache = format!("cache_dir={}", folder.path().join("cache").display());
    let facts = stdout(ctrbench().args(["data", "inspect", "synthetic", "--json", "--set", &cache]));
    let facts: serde_json::Value = serde_json::from_str(&facts).expect("JSON");
    let models = stdout(ctrbench().args(["models", "--json", "--set", &format!("dataset.{cache}")]));
    let models: serde_json::Value = serde_json::from_str(&models).expect("JSON");
    let rows: u64 =
        facts["fields"].as_array().expect("fields").iter().filter_map(|field| field["vocabulary_size"].as_u64()).sum();
    let lr = &models.as_array().expect("a list")[0];
    assert_eq!((&lr["name"], &lr["embedding_parameters"]), (&"lr".into(), &rows.into()), "{models}");
}

#[test]
fn hardware_says_what_the_machine_is_and_can() {
    let output = ctrbench().args(["hardware", "--threads", "1", "--json"]).output().expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(found["peaks"]["threads"], 1);
    assert!(found["system"]["memory_bytes"].as_u64() > Some(0), "{found}");
    // A petaflop on one thread would be a clock that did not run.
    for peak in ["gemm_gflops", "copy_gigabytes_per_second"] {
        let value = found["peaks"][peak].as_f64().expect("a number");
        assert!(value > 0.01 && value < 1e6, "{peak} is {value}");
    }
    fails_with(ctrbench().args(["hardware", "--threads", "99999"]), &["--threads is 99999", "this machine has"]);
}

/// `ctrbench run … 2>&1 | head` closes stderr early; the run still ends and leaves its results.
#[cfg(unix)]
#[test]
fn a_closed_stderr_does_not_end_a_run() {
    let folder = TempDir::new().expect("a folder");
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("ctrbench"));
    command.args(tiny(folder.path()).args(["--seed", "1", "--set", "models=['lr']"]).get_args());
    let mut child =
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped()).spawn().expect("it starts");
    drop(child.stderr.take());
    assert!(child.wait().expect("it ends").success());
    assert!(runs(folder.path()).remove(0).join("users.parquet").exists());
}

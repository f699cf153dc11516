//! `ctrbench data …` and what runs make of odd datasets.

use assert_cmd::Command;
use std::fs;
use tempfile::TempDir;

fn ctrbench(folder: &TempDir) -> Command {
    let mut command = Command::cargo_bin("ctrbench").expect("built");
    command.current_dir(folder.path()).env_remove("CTRBENCH_DATA");
    command
}

/// Stdout and stderr of a command that must end with `code`.
fn run(folder: &TempDir, arguments: &[&str], code: i32) -> (String, String) {
    let output = ctrbench(folder).args(arguments).output().expect("it starts");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
    (stdout, stderr)
}

/// A log of one's own, without users where `user` is empty.
fn descriptor(folder: &TempDir, user: &str) {
    let text = format!(
        "name = \"mine\"\ntitle = \"Mine\"\n[expected]\nrows = 60\n[source.label]\ncolumn = \"click\"\npositive_at_least = 1.0\n\
         [source.log]\n{user}\nitem = \"item\"\ntime = \"time\"\ntime_unit = \"seconds\"\n[source.log.file]\npath = \"log.csv\"\n\
         columns = [{{ name = \"user\", type = \"int\" }}, {{ name = \"item\", type = \"text\" }}, {{ name = \"click\", type = \"bit\" }}, {{ name = \"time\", type = \"int\" }}]\n"
    );
    fs::write(folder.path().join("mine.toml"), text).expect("writable");
    let rows: String = (0..60).map(|at| format!("{},i{},{},{at}\n", at % 3, at % 7, at % 2)).collect();
    fs::write(folder.path().join("log.csv"), format!("user,item,click,time\n{rows}")).expect("writable");
}

#[test]
fn the_list_has_every_dataset() {
    let folder = TempDir::new().expect("a folder");
    let (text, _) = run(&folder, &["data", "list"], 0);
    assert!(text.contains("movielens-20m") && text.contains("20,000,263    138,493     26,744"), "{text}");
    let (json, _) = run(&folder, &["data", "list", "--json"], 0);
    let list: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let entries = list.as_array().expect("a list");
    assert_eq!(entries.len(), 21);
    for entry in entries {
        for key in ["title", "home_page", "licence", "citation"] {
            assert!(entry[key].as_str().is_some_and(|text| text.len() > 3), "{key} of {entry}");
        }
    }
}

#[test]
fn a_log_of_ones_own_is_verified_prepared_and_run() {
    let folder = TempDir::new().expect("a folder");
    descriptor(&folder, "user = \"user\"");
    let (text, _) = run(&folder, &["data", "verify", "mine.toml"], 0);
    assert!(
        text.contains("60 rows         as published") && text.contains("3 users        no count is published"),
        "{text}"
    );
    let (text, _) = run(&folder, &["data", "prepare", "mine.toml"], 0);
    assert!(text.starts_with("mine: 60 samples of 3 users and 7 items in results/cache"), "{text}");

    let log = fs::read_to_string(folder.path().join("log.csv")).expect("readable");
    fs::write(folder.path().join("log.csv"), log.replace("2,i4,1,11", "2,i4,yes,11")).expect("writable");
    let (_, message) = run(&folder, &["data", "verify", "mine.toml"], 2);
    assert!(message.contains("log.csv: line 13: column 'click': 'yes' is not a whole number"), "{message}");
    let (_, message) = run(&folder, &["data", "verify", "mine.toml", "--bad-rows", "skip"], 2);
    assert!(message.contains("1 of 60 lines cannot be read, more than 1 %"), "{message}");
    let (_, message) = run(&folder, &["data", "verify", "mine.toml", "--bad-rows", "ignore"], 2);
    assert!(message.contains("ignore") && message.contains("skip"), "{message}");
}

/// Nobody's samples are there to fine-tune on, which is said before anything is trained.
#[test]
fn a_log_without_users_trains_cloud_models_only() {
    let folder = TempDir::new().expect("a folder");
    descriptor(&folder, "");
    let settings = "name = \"t\"\nmodels = [\"lr\"]\n[dataset]\nname = \"mine.toml\"\nsplit = \"global-temporal\"\n[training]\nbatch_size = 16\nepochs = 1\n";
    fs::write(folder.path().join("run.toml"), settings).expect("writable");
    let (_, message) = run(&folder, &["run", "run.toml"], 2);
    assert!(message.contains("mine names no users") && message.contains("protocols = []"), "{message}");
    let (text, _) = run(&folder, &["run", "run.toml", "--set", "protocols=[]", "--quiet"], 0);
    assert!(text.starts_with("cloud models on mine, judged on the whole test part"), "{text}");
}

#[test]
fn what_cannot_be_downloaded_says_why() {
    let folder = TempDir::new().expect("a folder");
    let (_, message) = run(&folder, &["data", "download", "movielens-1m"], 2);
    assert!(message.contains("no data folder is set"), "{message}");
    let (_, message) = run(&folder, &["data", "download", "movielens-1m", "--data-dir", "d"], 2);
    assert!(message.contains("GroupLens research licence") && message.contains("--accept-license"), "{message}");
    let (_, message) = run(&folder, &["data", "download", "taobao-userbehavior", "--data-dir", "d"], 2);
    assert!(message.contains("UserBehavior.csv from https://tianchi.aliyun.com/dataset/649"), "{message}");
    let (_, message) = run(&folder, &["data", "download", "synthetic", "--data-dir", "d"], 2);
    assert!(message.contains("it is drawn when it is loaded"), "{message}");
    let (_, message) = run(&folder, &["data", "inspect", "movielens-2m"], 2);
    assert!(message.contains("unknown dataset 'movielens-2m'; known: synthetic, "), "{message}");
}

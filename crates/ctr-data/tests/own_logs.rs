//! Logs that a descriptor of the user's own describes.

use std::collections::BTreeMap;
use std::fs;

use ctr_data::{BadRowRule, Dataset, DatasetConfig, NegativeDistribution, NegativeSampling, SplitRule, load};
use polars::prelude::{Column, DataFrame, DataType, ParquetWriter};
use tempfile::TempDir;

/// A descriptor `mine.toml` in a folder of its own, and how it is loaded.
struct OwnLog {
    folder: TempDir,
    config: DatasetConfig,
}

impl OwnLog {
    fn new(descriptor: &str) -> OwnLog {
        let folder = tempfile::tempdir().unwrap();
        let mut config = DatasetConfig::new(folder.path().join("mine.toml").to_str().unwrap());
        config.cache_dir = folder.path().join("cache");
        let own = OwnLog { folder, config };
        own.describe(descriptor);
        own
    }

    fn describe(&self, descriptor: &str) {
        self.write("mine.toml", descriptor);
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn load(&self) -> Dataset {
        load(&self.config, &|_| {}).unwrap()
    }

    /// Why it cannot be loaded.
    fn message(&self) -> String {
        load(&self.config, &|_| {}).unwrap_err().to_string()
    }
}

fn vocabulary(dataset: &Dataset, field: &str) -> u64 {
    let facts = dataset.facts.fields.iter().find(|facts| facts.name == field);
    facts.unwrap_or_else(|| panic!("no {field}")).vocabulary_size
}

/// `\N` is a missing value; a bad line is left out and counted if it is asked for, up to 1 %.
#[test]
fn a_log_of_ones_own_with_bad_lines() {
    let mut own = OwnLog::new(
        r#"
name = "mine"
title = "A log of my own"

[source.label]
column = "action"
positive_is = ["click", "buy"]

[source.log]
user = "user"
item = "item"
time = "time"
time_unit = "seconds"
[source.log.file]
path = "log.tsv"
separator = "\t"
missing = ["\\N"]
columns = [
    { name = "user", type = "text" },
    { name = "item", type = "text" },
    { name = "action", type = "text" },
    { name = "time", type = "int" },
    { name = "device", type = "text" },
]

[[source.fields]]
name = "device"
of = "row"
columns = ["device"]
transform = "text"
"#,
    );
    let write_log = |own: &OwnLog, bad: u32| {
        let mut log = "time\tuser\titem\taction\tdevice\textra\n".to_owned();
        for at in 0..400 {
            let time = if at < bad { "noon".to_owned() } else { at.to_string() };
            let device = ["phone", "\\N", ""][at as usize % 3];
            log += &format!(
                "{time}\tu{}\ti{}\t{}\t{device}\tx\n",
                at % 7,
                at % 11,
                ["click", "view", "buy"][at as usize % 3]
            );
        }
        own.write("log.tsv", &log);
    };
    write_log(&own, 0);
    let dataset = own.load();
    assert_eq!(
        (dataset.name.as_str(), dataset.facts.rows, dataset.facts.users, dataset.facts.items),
        ("mine", 400, 7, 11)
    );
    assert_eq!(vocabulary(&dataset, "device"), 3, "phone, and missing in both forms");
    assert!((dataset.facts.positive_rate - 267.0 / 400.0).abs() < 1e-12);

    write_log(&own, 4);
    let message = own.message();
    assert!(message.contains("log.tsv: line 2: column 'time': 'noon' is not a whole number"), "{message}");
    own.config.bad_rows = BadRowRule::Skip;
    let dataset = own.load();
    assert_eq!((dataset.facts.rows, dataset.facts.skipped_rows), (396, 4));
    assert!(
        dataset.facts.warnings[0].contains("4 of 400 lines were left out; the first: "),
        "{:?}",
        dataset.facts.warnings
    );

    write_log(&own, 5);
    let message = own.message();
    assert!(message.contains("5 of 400 lines cannot be read, more than 1 %"), "{message}");
}

/// A history of each row's own, and numbers between bounds.
#[test]
fn a_log_with_histories_and_buckets() {
    let text = r#"
name = "mine"
title = "A log of my own"
[source.label]
column = "click"
positive_at_least = 1.0
[source.log]
user = "user"
item = "item"
history = "seen"
time = "time"
time_unit = "seconds"
[source.log.file]
path = "log.jsonl"
format = "json-lines"
columns = [
    { name = "user", type = "int" },
    { name = "item", type = "text" },
    { name = "seen", type = "text" },
    { name = "click", type = "bit" },
    { name = "time", type = "int" },
    { name = "price", type = "number" },
]
[[source.fields]]
name = "price"
of = "row"
columns = ["price"]
transform = "bucket"
bounds = [10.0, 100.0]
"#;
    let mut own = OwnLog::new(text);
    let line = |at: u32| {
        let seen: Vec<String> = (0..at % 4).map(|k| format!("\"i{}\"", (at + k) % 5)).collect();
        let price = [9.99, 10.0, 250.0][at as usize % 3];
        format!(
            "{{\"user\": {}, \"item\": \"i{}\", \"seen\": [{}], \"click\": {}, \"time\": {at}, \"price\": {price}}}\n",
            at % 3,
            at % 5,
            seen.join(", "),
            at % 2
        )
    };
    own.write("log.jsonl", &(0..60).map(line).collect::<String>());
    own.config.history_length = 2;
    let dataset = own.load();
    assert_eq!(vocabulary(&dataset, "price"), 4);
    let unknown = dataset.fields[dataset.item_field].offset;
    for row in 0..dataset.len() {
        let at = dataset.samples.time[row] as u32;
        let expected: Vec<u32> = (0..at % 4).map(|k| unknown + 1 + (at + k) % 5).collect();
        assert_eq!(dataset.history(row), &expected[expected.len().saturating_sub(2)..], "row of time {at}");
    }

    for (from, to, expected) in [
        ("bounds = [10.0, 100.0]", "bounds = [100.0, 10.0]", "a bucket needs ascending bounds"),
        ("bounds = [10.0, 100.0]", "", "a bucket needs ascending bounds"),
        ("columns = [\"price\"]", "columns = [\"price\", \"click\"]", "needs one column"),
        ("history = \"seen\"", "history = \"sene\"", "log.history names the column 'sene', which is not read"),
    ] {
        own.describe(&text.replace(from, to));
        let message = own.message();
        assert!(message.contains(expected), "{message}");
    }
}

/// Several values of a field, between separators or in the list of a JSON file; those that training does not know are one.
#[test]
fn fields_with_several_values() {
    let text = |format: &str, list: &str| {
        format!(
            "name = \"mine\"\ntitle = \"Mine\"\n[source.label]\ncolumn = \"click\"\npositive_at_least = 1.0\n[source.log]\nuser = \"user\"\nitem = \"item\"\ntime = \"time\"\ntime_unit = \"seconds\"\n[source.log.file]\npath = \"log\"\n{format}\ncolumns = [{{ name = \"user\", type = \"int\" }}, {{ name = \"item\", type = \"int\" }}, {{ name = \"click\", type = \"bit\" }}, {{ name = \"time\", type = \"int\" }}, {{ name = \"tags\", type = \"text\" }}]\n[[source.fields]]\nname = \"tags\"\nof = \"row\"\ncolumns = [\"tags\"]\n{list}"
        )
    };
    // The last row of each user, which is test, has the tag `new` that no other has.
    let tags =
        |at: u32| [vec!["red", "big", "red"], vec![], vec!["big"], vec!["new", "old", "red"]][at as usize % 4].clone();
    let rows = |line: &dyn Fn(u32, &[&str]) -> String| {
        (0..40).map(|at| line(at, &if at < 36 { tags(at % 3) } else { tags(3) })).collect::<String>()
    };
    let csv = |at: u32, tags: &[&str]| format!("{},{},{},{at},{}\n", at % 4, at % 7, at % 2, tags.join(" ; "));
    let json = |at: u32, tags: &[&str]| {
        let (user, item, click) = (at % 4, at % 7, at % 2);
        format!("{{\"user\":{user},\"item\":{item},\"click\":{click},\"time\":{at},\"tags\":{tags:?}}}\n")
    };
    let csv_text = text("", "transform = \"list\"\nseparator = \";\"");
    let own = OwnLog::new(&csv_text);
    for (descriptor, log) in [
        (csv_text.clone(), format!("user,item,click,time,tags\n{}", rows(&csv))),
        (text("format = \"json-lines\"", "transform = \"list\""), rows(&json)),
    ] {
        own.describe(&descriptor);
        own.write("log", &log);
        let dataset = own.load();
        // (missing), big, red: in this order, after the unknown one.
        assert_eq!((vocabulary(&dataset, "tags"), dataset.lookups_by_field()), (4, vec![1, 2]));
        let unknown = dataset.fields[1].offset;
        for row in 0..dataset.len() {
            let mut ids = Vec::new();
            dataset.append_lookups(row, u32::MAX, &mut ids);
            let at = dataset.samples.time[row];
            let expected = if at >= 36 { [0, 3] } else { [[3, 2], [1, u32::MAX], [2, u32::MAX]][at as usize % 3] };
            let expected = expected.map(|id| if id == u32::MAX { id } else { unknown + id });
            assert_eq!(ids[1..], expected, "row of time {at}");
        }
    }

    own.write("log", &format!("user,item,click,time,tags\n{}", rows(&csv)));
    own.describe(&text("", "transform = \"list\"\nseparator = \";\"\nmax_values = 1"));
    let dataset = own.load();
    assert_eq!((vocabulary(&dataset, "tags"), dataset.lookups_by_field()), (4, vec![1, 1]));
    for (list, expected) in [
        ("transform = \"text\"\nseparator = \";\"", "only a list has a separator"),
        ("transform = \"list\"\nseparator = \"\"", "the separator of field 'tags' is empty"),
        ("transform = \"list\"\nmax_values = 0", "max_values"),
    ] {
        own.describe(&text("", list));
        let message = own.message();
        assert!(message.contains(expected), "{message}");
    }
}

/// Cells of the right type that cannot be used are bad lines like others: keys that are missing, numbers that are no clock
/// time, histories of other keys; in the log and in the file of items, of every format.
#[test]
fn cells_that_cannot_be_used_are_left_out_and_counted() {
    let text = |format: &str| {
        format!(
            r#"
name = "mine"
title = "Mine"
[source.label]
column = "click"
positive_at_least = 1.0
[source.log]
user = "user"
item = "item"
history = "seen"
time = "time"
time_unit = "seconds"
[source.log.file]
path = "log"
{format}
columns = [
    {{ name = "user", type = "text" }},
    {{ name = "item", type = "int" }},
    {{ name = "seen", type = "text" }},
    {{ name = "click", type = "bit" }},
    {{ name = "time", type = "int" }},
    {{ name = "clock", type = "int" }},
]
[source.items]
key = "id"
[source.items.file]
path = "items.csv"
columns = [{{ name = "id", type = "int" }}, {{ name = "age", type = "text" }}]
[[source.fields]]
name = "hour"
of = "row"
columns = ["clock"]
transform = "hour"
[[source.fields]]
name = "age"
of = "item"
columns = ["age"]
transform = "age-band"
"#
        )
    };
    let mut own = OwnLog::new(&text(""));
    // (user, seen, clock) of three lines of 600.
    let odd = [(17, ("", "1 2", 900)), (300, ("u1", "1 x", 900)), (301, ("u1", "1 2", 2460))];
    let row = |at: u32| {
        let usual = (["u0", "u1", "u2"][at as usize % 3], "1 2", 100 * (at % 24));
        odd.iter().find(|(line, _)| *line == at).map_or(usual, |(_, row)| *row)
    };
    let expected = [
        ("line 19: column 'user': '' is missing", "user"),
        ("line 302: column 'seen': 'x' is not an item id", "seen"),
        ("line 303: column 'clock': '2460' is not a clock time", "clock"),
    ];
    let mut log = "user,item,seen,click,time,clock\n".to_owned();
    (0..600).for_each(|at| {
        let (user, seen, clock) = row(at);
        log += &format!("{user},{},{seen},{},{at},{clock}\n", at % 101, at % 2);
    });
    own.write("log", &log);
    let ages: String = (0..101).map(|id| format!("{id},{}\n", if id == 100 { "old" } else { "30" })).collect();
    own.write("items.csv", &format!("id,age\n{ages}"));
    let message = own.message();
    assert!(message.contains(expected[0].0), "{message}");
    own.config.bad_rows = BadRowRule::Skip;
    let check = |own: &OwnLog| {
        let dataset = own.load();
        assert_eq!((dataset.facts.rows, dataset.facts.raw_rows, dataset.facts.skipped_rows), (597, 597, 4));
        let times: Vec<i64> = odd.iter().map(|(at, _)| i64::from(*at)).collect();
        assert!(dataset.samples.time.iter().all(|time| !times.contains(time)));
        assert_eq!(vocabulary(&dataset, "age"), 3, "30, and of item 100 nothing");
        dataset.facts.warnings
    };
    let warnings = check(&own);
    assert!(warnings[0].contains("3 of 600 lines were left out; the first: ") && warnings[0].contains(expected[0].0));
    assert!(warnings[1].contains("1 of 101 lines were left out") && warnings[1].contains("'old' is not an age"));

    // Each alone, without leave to skip.
    own.config.bad_rows = BadRowRule::Error;
    let lines: Vec<&str> = log.split_inclusive('\n').collect();
    for (only, (message, _)) in expected.iter().enumerate() {
        let without =
            |line: usize| odd.iter().position(|(at, _)| *at as usize + 1 == line).is_some_and(|at| at != only);
        let kept = lines.iter().enumerate().map(|(at, line)| if without(at) { lines[1] } else { *line });
        own.write("log", &kept.collect::<String>());
        let found = own.message();
        assert!(found.contains(message), "{found}");
    }

    // The same log as Parquet, its clock in two bytes; rows are counted without a header.
    own.describe(&text("format = \"parquet\""));
    let column = |name: &str, value: &dyn Fn(u32) -> u32, kind: DataType| {
        let values: Vec<u32> = (0..600).map(value).collect();
        Column::new(name.into(), values).cast(&kind).unwrap()
    };
    let columns = vec![
        Column::new("user".into(), (0..600).map(|at| row(at).0).collect::<Vec<_>>()),
        column("item", &|at| at % 101, DataType::UInt8),
        Column::new("seen".into(), (0..600).map(|at| row(at).1).collect::<Vec<_>>()),
        column("click", &|at| at % 2, DataType::Boolean),
        column("time", &|at| at, DataType::UInt16),
        column("clock", &|at| row(at).2, DataType::Int16),
    ];
    let file = fs::File::create(own.folder.path().join("log")).unwrap();
    ParquetWriter::new(file).finish(&mut DataFrame::new(600, columns).unwrap()).unwrap();
    own.config.bad_rows = BadRowRule::Skip;
    assert!(check(&own)[0].contains("line 18: column 'user': '' is missing"));
}

/// What users did beside a log of positives: seen with fewer users and drawn negatives as without, and the same from the
/// cache.
#[test]
fn behaviors_of_ones_own() {
    let text = r#"
name = "mine"
title = "Mine"
[source.label]
column = "bought"
positive_at_least = 1.0
[source.log]
user = "user"
item = "item"
time = "time"
time_unit = "seconds"
[source.log.file]
path = "log.csv"
columns = [
    { name = "user", type = "text" },
    { name = "item", type = "int" },
    { name = "time", type = "int" },
    { name = "bought", type = "bit" },
]
[source.behaviors]
user = "who"
time = "at"
time_unit = "seconds"
[source.behaviors.file]
path = "views.csv"
columns = [{ name = "who", type = "text" }, { name = "at", type = "int" }, { name = "page", type = "text" }]
[[source.fields]]
name = "pages"
of = "behavior"
columns = ["page"]
transform = "recent"
max_values = 3
[[source.fields]]
name = "last_page"
of = "behavior"
columns = ["page"]
transform = "recent"
max_values = 1
"#;
    let mut own = OwnLog::new(text);
    let log: String = (0..120).map(|at| format!("u{},{},{},1\n", at % 6, at % 23, 10 * at)).collect();
    own.write("log.csv", &format!("user,item,time,bought\n{log}"));
    let views: Vec<(u32, u32, u32)> = (0..600).rev().map(|at| (at * 7 % 8, 2 * at, at % 5)).collect();
    let csv: String = views.iter().map(|(user, at, page)| format!("u{user},{at}, p{page}\n")).collect();
    own.write("views.csv", &format!("who,at,page\n{csv}"));
    own.config.max_users = Some(4);
    own.config.negatives = Some(NegativeSampling { per_positive: 2, by: NegativeDistribution::Uniform, seed: 1 });
    let dataset = own.load();
    assert_eq!((dataset.facts.users, dataset.facts.rows), (4, 4 * 20 * 3));
    let position = |name: &str| dataset.fields.iter().position(|field| field.name == name).unwrap();
    let seen = |row: usize, field: usize| -> Vec<u32> {
        let unknown = dataset.fields[field].offset;
        dataset.lists[&field].get(dataset.sample_ids(row)[field]).iter().map(|id| id - unknown).collect()
    };
    let mut last_pages = BTreeMap::new();
    for row in 0..dataset.len() {
        let (user, time) = (&dataset.user_keys[dataset.samples.user[row] as usize], dataset.samples.time[row]);
        let mut before: Vec<(u32, u32)> = views
            .iter()
            .filter(|(who, at, _)| *user == format!("u{who}") && i64::from(*at) < time)
            .map(|&(_, at, page)| (at, page))
            .collect();
        before.sort_unstable();
        // All five pages are in training: p0 is 1, and so on.
        let pages: Vec<u32> = before.iter().map(|(_, page)| page + 1).collect();
        assert_eq!(seen(row, position("pages")), &pages[pages.len().saturating_sub(3)..]);
        // Not every page is the last one in training, so ids differ; each is one page all the same.
        let last = seen(row, position("last_page"));
        assert_eq!(last.len(), pages.len().min(1));
        for (id, page) in last.into_iter().zip(pages.last()).filter(|(id, _)| *id > 0) {
            assert_eq!(last_pages.entry(id).or_insert(*page), page);
        }
    }
    assert!(last_pages.len() >= 3);
    assert_eq!(own.load(), dataset, "from the cache");

    own.write("views.csv", &format!("who,at,page\nu1,noon,p1\n{csv}"));
    let message = own.message();
    assert!(message.contains("views.csv: line 2: column 'at': 'noon' is not a whole number"), "{message}");
    own.write("views.csv", &format!("who,at,page\n,5,p1\n{csv}"));
    let message = own.message();
    assert!(message.contains("views.csv: line 2: column 'who': '' is missing"), "{message}");
    own.config.bad_rows = BadRowRule::Skip;
    assert_eq!(own.load().facts.skipped_rows, 1);
    for (from, to, expected) in [
        (
            "time_unit = \"seconds\"\n[source.behaviors.file]",
            "time_unit = \"days\"\n[source.behaviors.file]",
            "write both in one unit",
        ),
        ("user = \"user\"\n", "", "which need a log with users and times"),
        ("max_values = 3", "max_values = 5000", "use at most 1000"),
        ("max_values = 3\n", "", "needs max_values"),
        ("[\"page\"]", "[\"pages\"]", "needs the column 'pages' of type text"),
        (
            "{ name = \"at\", type = \"int\" }",
            "{ name = \"at\", type = \"text\" }",
            "needs the column 'at' of type int",
        ),
    ] {
        assert!(text.contains(from), "{from}");
        own.describe(&text.replace(from, to));
        let message = own.message();
        assert!(message.contains(expected), "{message}");
    }
}

/// What loads and can hardly be meant: a unit of another clock, a list that is none, files that match nothing. And a number may be
/// absent.
#[test]
fn what_can_hardly_be_meant_is_warned_of() {
    let text = r#"
name = "mine"
title = "Mine"
[source.label]
column = "click"
positive_at_least = 1.0
[source.log]
user = "user"
item = "item"
time = "time"
time_unit = "seconds"
[source.log.file]
path = "log.csv"
missing = ["NULL"]
columns = [
    { name = "user", type = "text" },
    { name = "item", type = "text" },
    { name = "click", type = "number" },
    { name = "time", type = "int" },
    { name = "tags", type = "text" },
    { name = "price", type = "number" },
]
[source.items]
key = "id"
[source.items.file]
path = "items.csv"
columns = [{ name = "id", type = "text" }, { name = "brand", type = "text" }]
[source.behaviors]
user = "user"
time = "time"
time_unit = "seconds"
[source.behaviors.file]
path = "views.csv"
columns = [{ name = "user", type = "text" }, { name = "time", type = "int" }, { name = "page", type = "text" }]
[[source.fields]]
name = "tags"
of = "row"
columns = ["tags"]
transform = "list"
[[source.fields]]
name = "price"
of = "row"
columns = ["price"]
transform = "log-bucket"
[[source.fields]]
name = "brand"
of = "item"
columns = ["brand"]
transform = "text"
[[source.fields]]
name = "pages"
of = "behavior"
columns = ["page"]
transform = "recent"
max_values = 3
"#;
    let own = OwnLog::new(text);
    let write = |scale: i64, tags: &str, item: &str, viewer: &str| {
        let row = |at: i64| {
            let price = ["NULL", "", "3"][at as usize % 3];
            format!("u{},i{},{},{},{tags},{price}\n", at % 4, at % 5, at % 2, (1_700_000_000 + at) * scale)
        };
        own.write("log.csv", &format!("user,item,click,time,tags,price\n{}", (0..80).map(row).collect::<String>()));
        own.write("items.csv", &format!("id,brand\n{item}1,b\n"));
        own.write("views.csv", &format!("user,time,page\n{viewer}1,1600000000,p\n"));
    };
    write(1, "a|b", "i", "u");
    let dataset = own.load();
    assert_eq!(dataset.facts.warnings, Vec::<String>::new());
    assert_eq!(vocabulary(&dataset, "price"), 3, "2 and missing");
    assert!(dataset.facts.to_string().contains("(seconds; the years 2023 to 2023 if they are a clock's)"));
    for (scale, tags, item, viewer, expected) in [
        (1000, "a|b", "i", "u", &["in seconds the year 55840: is time_unit right?"][..]),
        (
            -1,
            "a|b",
            "i",
            "u",
            &["views.csv: no row of the log has a behavior before it", "in seconds the year 1916: is time_unit right?"],
        ),
        (1, "a;b", "i", "u", &["field 'tags' is a list, but no sample has several values"]),
        (1, "a|b", "0", "u", &["items.csv: column 'id' has none of the log's keys"]),
        (1, "a|b", "i", "x", &["views.csv: no row of the log has a behavior before it"]),
    ] {
        write(scale, tags, item, viewer);
        let warnings = own.load().facts.warnings;
        let said = warnings.iter().zip(expected).all(|(warning, expected)| warning.contains(expected));
        assert!(warnings.len() == expected.len() && said, "{warnings:?}");
    }
    write(1, "a|b", "i", "u");
    for (from, to, expected) in [
        ("name = \"brand\"\nof", "name = \"tags\"\nof", "two fields are called 'tags'"),
        ("name = \"brand\"\nof", "name = \"item\"\nof", "two fields are called 'item'"),
        ("columns = [\"price\"]", "columns = [\"prize\"]", "field 'price' names the column 'prize', which is not read"),
        ("column = \"click\"", "column = \"klick\"", "label.column names the column 'klick'"),
        (
            "path = \"views.csv\"",
            "path = \"view.csv\"",
            "view.csv does not exist; the files of a descriptor of your own lie beside it",
        ),
    ] {
        assert!(text.contains(from), "{from}");
        own.describe(&text.replace(from, to));
        let message = own.message();
        assert!(message.contains(expected), "{message}");
    }
    own.describe(text);
    own.write("log.csv", "user,item,click,time,tags,price\nu1,i1,NULL,5,a,1\n");
    assert!(own.message().contains("line 2: column 'click': '' is missing"));
}

/// Rows keep their numbers from block to block.
#[test]
fn a_large_parquet_file_is_read_in_blocks() {
    let text = "name = \"mine\"\ntitle = \"Mine\"\n[source.label]\ncolumn = \"click\"\npositive_at_least = 1.0\n[source.log]\nuser = \"user\"\nitem = \"item\"\ntime_unit = \"none\"\n[source.log.file]\npath = \"log.parquet\"\nformat = \"parquet\"\ncolumns = [{ name = \"user\", type = \"text\" }, { name = \"item\", type = \"int\" }, { name = \"click\", type = \"bit\" }]\n";
    let mut own = OwnLog::new(text);
    let rows = 300_000u32;
    let user = |at: u32| if at == 280_000 { String::new() } else { format!("u{}", at % 1000) };
    let columns = vec![
        Column::new("user".into(), (0..rows).map(user).collect::<Vec<_>>()),
        Column::new("item".into(), (0..rows).map(|at| at % 77).collect::<Vec<_>>()),
        Column::new("click".into(), (0..rows).map(|at| at / 1000 % 2).collect::<Vec<_>>()),
    ];
    let file = fs::File::create(own.folder.path().join("log.parquet")).unwrap();
    ParquetWriter::new(file).finish(&mut DataFrame::new(rows as usize, columns).unwrap()).unwrap();
    let message = own.message();
    assert!(message.contains("line 280001: column 'user': '' is missing"), "{message}");
    own.config.bad_rows = BadRowRule::Skip;
    let facts = own.load().facts;
    assert_eq!((facts.rows, facts.users, facts.items, facts.skipped_rows), (299_999, 1000, 77, 1));
    // 150 of 300 thousands of rows are positive; the row that is left out is not.
    assert_eq!((facts.positive_rate * 299_999.0).round(), 150_000.0);
}

/// The example of docs/data.md, word for word.
#[test]
fn the_worked_example_works() {
    let docs = include_str!("../../../docs/data.md");
    let chapter = docs.split("## A log of your own").nth(1).expect("the chapter");
    let example = chapter.split("```toml").nth(1).and_then(|text| text.split("```").next()).expect("the example");
    let own = OwnLog::new(example);
    let log: String = (0..200)
        .map(|at| {
            let (did, price) = (["view", "cart", "buy", "view"][at % 4], ["3.5", "NULL", "\\N", "120"][at % 4]);
            format!("{price}\tphone\tshopper {}\t{at}\tthing {}\t{did}\n", at % 9, at % 21)
        })
        .collect();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, format!("price\tdevice\twho\twhen\twhat\tdid\n{log}").as_bytes()).unwrap();
    fs::write(own.folder.path().join("march.tsv.gz"), gzip.finish().unwrap()).unwrap();
    let things: Vec<String> = (0..21).map(|at| format!("thing {at}")).collect();
    let brands: Vec<&str> = (0..21).map(|at| ["Acme", "Umbrella"][at % 2]).collect();
    let items = vec![Column::new("id".into(), things), Column::new("brand".into(), brands)];
    let file = fs::File::create(own.folder.path().join("items.parquet")).unwrap();
    ParquetWriter::new(file).finish(&mut DataFrame::new(21, items).unwrap()).unwrap();
    let dataset = own.load();
    assert_eq!((dataset.facts.rows, dataset.facts.users, dataset.facts.items), (200, 9, 21));
    assert_eq!(dataset.facts.positive_rate, 0.5);
    // log2(1 + 3.5) and log2(1 + 120), and missing in two forms.
    assert_eq!(["brand", "price", "device"].map(|name| vocabulary(&dataset, name)), [3, 4, 2]);
}

/// What polars would fill up, cut or shift is named with its line, whatever the other lines of the block are.
#[test]
fn odd_lines_are_named_and_keys_are_needed() {
    let text = |columns: &str, further: &str| {
        format!(
            "name = \"mine\"\ntitle = \"Mine\"\n[source.label]\ncolumn = \"click\"\npositive_is = [\"yes\"]\n[source.log]\nuser = \"user\"\nitem = \"item\"\ntime_unit = \"none\"\n[source.log.file]\npath = \"log.csv\"\ncolumns = [{columns}]\n{further}"
        )
    };
    let columns = ["user", "item", "click"].map(|name| format!("{{ name = \"{name}\", type = \"text\" }}")).join(",");
    let mut own = OwnLog::new(&text(&columns, ""));
    own.config.split = Some(SplitRule::UserRandom);
    let log = |odd: &str| {
        let rows: String = (0..40).map(|at| format!("u{},i{},{},x\n", at % 3, at % 7, ["yes", "no"][at % 2])).collect();
        own.write("log.csv", &format!("user,item,click,unread\n{odd}{rows}"));
    };
    log("");
    assert_eq!(own.load().facts.rows, 40, "no time, and pairs that repeat");
    log("u0,\"i,1\",yes,x\r\n");
    assert_eq!(own.load().facts.items, 8);
    for (odd, expected) in [
        ("u0,i0,yes\n", "line 2: column '(whole line)': 'u0,i0,yes' has 3 columns instead of 4"),
        ("u0,i0,yes,x,y\n", "line 2: column '(whole line)': 'u0,i0,yes,x,y' has 5 columns instead of 4"),
        ("\n", "line 2: column '(whole line)': '' has 1 columns instead of 4"),
        (",i0,yes,x\n", "line 2: column 'user': '' is missing"),
        ("u0,i0,,x\n", "line 2: column 'click': '' is missing"),
        ("u0,i0,\"yes,x\n", "has a quote that does not end"),
    ] {
        log(odd);
        let message = own.message();
        assert!(message.contains(expected), "{message}");
    }
    log("");
    let users = "[source.users]\nkey = \"id\"\n[source.users.file]\npath = \"log.csv\"\ncolumns = [{ name = \"user\", type = \"text\" }]\n";
    let field = "[[source.fields]]\nname = \"age\"\nof = \"user\"\ncolumns = [\"age\"]\ntransform = \"text\"\n";
    for (columns, further, expected) in [
        (columns.as_str(), users, "users.key names the column 'id', which is not read"),
        (columns.as_str(), field, "field 'age' is of a user, but the source has no file of them"),
        ("", "", "log.csv needs columns"),
        (&format!("{columns}, {columns}"), "", "each with a name of its own"),
    ] {
        own.describe(&text(columns, further));
        let message = own.message();
        assert!(message.contains(expected), "{message}");
    }
}

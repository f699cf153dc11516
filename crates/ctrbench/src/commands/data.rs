//! `ctrbench data …`.

use super::{print, print_json};
use crate::cli::{DatasetArgs, DownloadArgs, OutputArgs};
use crate::{config::without_rust_types, overrides, progress::Progress};
use anyhow::{Context, Result, anyhow, bail};
use ctr_data::{DatasetConfig, Verification, grouped};
use ctr_report::peak_memory_bytes;
use serde::Deserialize;
use std::time::Instant;
use toml::{Table, Value};

/// Prints every dataset that is known.
pub fn list(output: OutputArgs) -> Result<()> {
    let catalog = ctr_data::catalog()?;
    if output.json {
        return print_json(&catalog);
    }
    let count = |count: Option<u64>| count.map_or_else(|| "-".to_owned(), grouped);
    let mut text = format!("{:<24}{:>12}{:>11}{:>11}  {}\n", "name", "rows", "users", "items", "what");
    for entry in catalog {
        let [rows, users, items] = [entry.rows, entry.users, entry.items].map(count);
        let mut notes = Vec::new();
        notes.extend((!entry.has_users).then_some("cloud models only"));
        notes.extend(entry.has_published_split.then_some("published split"));
        notes.extend((!entry.can_be_downloaded && entry.name != "synthetic").then_some("fetched by hand"));
        let notes = if notes.is_empty() { String::new() } else { format!("; {}", notes.join(", ")) };
        text += &format!("{:<24}{rows:>12}{users:>11}{items:>11}  {}{notes}\n", entry.name, entry.title);
    }
    text += "Counts are published ones; - where none is. --json adds home page, licence and citation.\n";
    print(&text)
}

/// Fetches the official files of a dataset.
pub fn download(args: &DownloadArgs) -> Result<()> {
    let config = config(&args.dataset)?;
    let progress = progress(&args.dataset);
    let folder = ctr_data::download(&config, args.accept_license, &|message| progress.line(message))?;
    print(&format!("{} is in {}\n", config.name, folder.display()))
}

/// Holds a dataset's counts against the published ones.
pub fn verify(args: &DatasetArgs) -> Result<()> {
    let config = config(args)?;
    let progress = progress(args);
    let verification = ctr_data::verify(&config, &|message| progress.line(message))?;
    if args.output.json {
        print_json(&verification)?;
    } else {
        print(&verification_text(&verification))?;
    }
    if !verification.is_official() {
        bail!(
            "{}: these are not the official files as published, for the reasons above; they load, but results may differ from those on the official ones",
            verification.dataset
        );
    }
    Ok(())
}

fn verification_text(verification: &Verification) -> String {
    let mut text = format!("{}\n", verification.dataset);
    for file in &verification.files {
        let verdict = match file.has_published_md5 {
            None => "",
            Some(true) => "  MD5 as published",
            Some(false) if file.differs_in_line_ends => "  as published but for the ends of its lines",
            Some(false) => "  MD5 NOT the published one",
        };
        text += &format!("  {:>15} bytes  {}{verdict}\n", grouped(file.bytes), file.path.display());
    }
    for count in &verification.counts {
        let verdict = match count.published {
            None => "no count is published".to_owned(),
            Some(published) if published == count.found => "as published".to_owned(),
            Some(published) => format!("NOT the published {}", grouped(published)),
        };
        text += &format!("  {:>15} {:<12} {verdict}\n", grouped(count.found), count.what);
    }
    verification.warnings.iter().for_each(|warning| text += &format!("  warning: {warning}\n"));
    text
}

/// Loads a dataset and prints its facts.
pub fn inspect(args: &DatasetArgs) -> Result<()> {
    let config = config(args)?;
    let progress = progress(args);
    let dataset = ctr_data::load(&config, &|message| progress.line(message))?;
    if args.output.json { print_json(&dataset.facts) } else { print(&dataset.facts.to_string()) }
}

/// Loads a dataset into the cache.
pub fn prepare(args: &DatasetArgs) -> Result<()> {
    let config = config(args)?;
    let progress = progress(args);
    let started = Instant::now();
    let dataset = ctr_data::load(&config, &|message| progress.line(message))?;
    let seconds = started.elapsed().as_secs_f64();
    if args.output.json {
        return print_json(&serde_json::json!({
            "dataset": dataset.name,
            "samples": dataset.len(),
            "users": dataset.facts.users,
            "items": dataset.facts.items,
            "dataset_hash": dataset.facts.dataset_hash,
            "split_hash": dataset.facts.split_hash,
            "cache_dir": config.cache_dir,
            "seconds": seconds,
            "peak_memory_bytes": peak_memory_bytes(),
        }));
    }
    let memory = peak_memory_bytes().map_or_else(String::new, |bytes| format!(", {} MiB at the peak", bytes >> 20));
    print(&format!(
        "{}: {} samples of {} users and {} items in {}; {seconds:.1} s{memory}\n",
        dataset.name,
        grouped(dataset.len() as u64),
        grouped(dataset.facts.users),
        grouped(dataset.facts.items),
        config.cache_dir.display()
    ))
}

fn progress(args: &DatasetArgs) -> Progress {
    Progress::new(1, args.output.quiet, true)
}

/// The dataset's defaults, with the changes of the command line.
fn config(args: &DatasetArgs) -> Result<DatasetConfig> {
    ctr_data::check_name(&args.dataset)?;
    let mut table = Table::try_from(ctr_data::default_config(&args.dataset)?)?;
    for assignment in &args.set {
        overrides::apply(&mut table, assignment)?;
    }
    if let Some(folder) = &args.data_dir {
        let folder = folder.to_str().with_context(|| format!("--data-dir {folder:?} is not valid UTF-8"))?;
        table.insert("data_dir".into(), Value::String(folder.into()));
    }
    if let Some(rule) = &args.bad_rows {
        table.insert("bad_rows".into(), Value::String(rule.clone()));
    }
    DatasetConfig::deserialize(table).map_err(|error| match &args.set[..] {
        [] => anyhow!("{}: {}", args.dataset, without_rust_types(&error.to_string())),
        set => anyhow!("--set {}: {}", set.join(" --set "), without_rust_types(&error.to_string())),
    })
}

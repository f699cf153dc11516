//! `ctrbench run`.

use super::{print, print_json};
use crate::{
    cli::RunArgs,
    config::RunConfig,
    experiment::Experiment,
    progress::{Progress, write_line},
    threads::pool,
};
use anyhow::{Error, Result, anyhow};
use ctr_nn::OpenedDevice;
use ctr_report::{ReportError, RunFolder, RunRecord, table};
use std::{path::Path, time::SystemTime};

/// Runs a whole experiment and prints the comparison tables and the folder of the results.
pub fn run(args: &RunArgs) -> Result<()> {
    // Before anything in it is read, so that it stays as it is read.
    let resumed = args.resume.as_deref().map(open).transpose()?;
    if let Some(folder) = &resumed
        && let Some(record) = finished(folder.path())?
    {
        let folder = folder.path();
        if !args.output.quiet {
            write_line(&format!("{}: this run is finished; nothing is left to do", folder.display()));
            if was_edited(&record, folder) {
                let config = shell_word(&folder.join("config.toml"));
                write_line(&format!("its config.toml was changed since; a new run by it: ctrbench run {config}"));
            }
        }
        return show(&record, folder, args);
    }
    let mut config = match &resumed {
        Some(folder) => RunConfig::load_resolved(folder.path())?,
        None => RunConfig::load(&args.config)?,
    };
    let began_on = resumed.is_some().then(|| config.device.clone());
    if let Some(seeds) = args.seed.map(|seed| vec![seed]).or_else(|| args.seeds.clone()) {
        config.seeds = seeds;
    }
    if let Some(device) = &args.device {
        config.device.clone_from(device);
    }
    if let Some(matmul) = &args.matmul {
        config.matmul.clone_from(matmul);
    }
    config.fine_tuning.deterministic |= args.deterministic;
    if let Some(threads) = args.threads {
        config.threads = threads;
    }
    if let (Some(_), Some(data_dir)) = (&resumed, &args.config.data_dir) {
        config.dataset.data_dir = Some(data_dir.clone());
    }
    let mut config = config.resolve()?;
    let OpenedDevice { choice, device, notice } = config.device()?.open()?;
    // What is written down is what the run ran on, never `auto`; a resumed run goes on there.
    config.device = choice.to_string();
    if let Some(before) = began_on.filter(|before| *before != config.device && !args.output.quiet) {
        write_line(&format!("this run began on {before}; tables and run.json will name {}", config.device));
    }
    if let Some(notice) = notice.filter(|_| !args.output.quiet) {
        write_line(&notice);
    }
    config.matmul_precision()?.set(choice).map_err(Error::msg)?;
    let pool = pool(config.threads)?;
    let started = SystemTime::now();
    let record = pool.install(|| -> Result<_> {
        let progress = Progress::new(Experiment::steps(&config), args.output.quiet, args.output.no_progress);
        // Before the folder is made, so that missing or broken data leave none behind.
        let dataset = ctr_data::load(&config.dataset, &|message| progress.line(message))?;
        Experiment::check(&config, &dataset)?;
        let folder = match resumed {
            Some(folder) => folder,
            None => RunFolder::create(&config.results_dir, &config.name, started)?,
        };
        let (path, word) = (folder.path().display(), shell_word(folder.path()));
        progress.line(&format!("results go to {path}; a run that is stopped goes on with --resume {word}"));
        let record = Experiment::new(config, device, dataset, folder.clone(), started, &progress)?.run()?;
        progress.finish();
        Ok((record, folder))
    });
    let (record, folder) = record?;
    show(&record, folder.path(), args)
}

/// The folder of an earlier run, for this process alone.
fn open(path: &Path) -> Result<RunFolder> {
    RunFolder::open(path).map_err(|error| match error {
        ReportError::Io { cause, .. } => {
            anyhow!("--resume {}: not the folder of a run, as a run prints it at its end ({cause})", path.display())
        }
        other => other.into(),
    })
}

/// The record of an earlier run that came to its end.
fn finished(folder: &Path) -> Result<Option<RunRecord>> {
    let path = folder.join("run.json");
    if !path.exists() {
        return Ok(None);
    }
    let record =
        RunRecord::read(&path).map_err(|error| anyhow!("{error}, or delete it: the resumed run writes it again"))?;
    Ok(Some(record).filter(|record| record.finished))
}

/// Whether the folder's configuration is another than the record's.
fn was_edited(record: &RunRecord, folder: &Path) -> bool {
    let edited =
        RunConfig::load_resolved(folder).and_then(RunConfig::resolve).and_then(|now| Ok(serde_json::to_value(now)?));
    edited.is_ok_and(|now| now != record.config)
}

/// A path as a shell takes it for one word.
fn shell_word(path: &Path) -> String {
    let path = path.display().to_string();
    if path.chars().all(|c| c.is_alphanumeric() || "/._-+:@%".contains(c)) {
        return path;
    }
    format!("'{}'", path.replace('\'', r"'\''"))
}

fn show(record: &RunRecord, folder: &Path, args: &RunArgs) -> Result<()> {
    if args.output.json {
        return print_json(record);
    }
    let mut text = String::new();
    let mut comparisons = table::Comparison::by_protocol(record);
    if comparisons.is_empty() {
        comparisons.push(table::Comparison::of_cloud_models(record));
    }
    for comparison in comparisons {
        text += &table::TableFormat::render(&table::Text, &comparison)?;
        text.push('\n');
    }
    text += &format!("Results: {}\n", folder.display());
    print(&text)
}

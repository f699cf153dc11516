//! `ctrbench run`.

use super::{print, print_json};
use crate::{
    cli::RunArgs,
    config::RunConfig,
    experiment::Experiment,
    interrupt,
    progress::{Progress, write_line},
    threads::pool,
};
use anyhow::{Error, Result, anyhow};
use ctr_nn::OpenedDevice;
use ctr_report::{RunFolder, RunRecord, table};
use std::{path::Path, time::SystemTime};

/// Runs a whole experiment and prints the comparison tables and the folder of the results.
pub fn run(args: &RunArgs) -> Result<()> {
    if let Some(folder) = &args.resume
        && let Some(record) = finished(folder)?
    {
        if !args.output.quiet {
            let path = folder.display();
            write_line(&format!("{path}: this run is finished; nothing is left to do"));
            if was_edited(&record, folder) {
                write_line(&format!(
                    "its config.toml was changed since; a new run by it: ctrbench run {path}/config.toml"
                ));
            }
        }
        return show(&record, folder, args);
    }
    let mut config = match &args.resume {
        Some(folder) => RunConfig::load_resolved(folder)?,
        None => RunConfig::load(&args.config)?,
    };
    let began_on = args.resume.is_some().then(|| config.device.clone());
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
    if let (Some(_), Some(data_dir)) = (&args.resume, &args.config.data_dir) {
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
        let folder = match &args.resume {
            Some(path) => RunFolder::open(path)?,
            None => RunFolder::create(&config.results_dir, &config.name, started)?,
        };
        let path = folder.path().display();
        interrupt::say_how_to_go_on(folder.path(), args.output.quiet)?;
        progress.line(&format!("results go to {path}; a run that is stopped goes on with --resume {path}"));
        let record = Experiment::new(config, device, dataset, folder.clone(), started, &progress)?.run()?;
        progress.finish();
        Ok((record, folder))
    });
    let (record, folder) = record?;
    show(&record, folder.path(), args)
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

//! `ctrbench data inspect`.

use super::{print, print_json};
use crate::{cli::InspectArgs, overrides, progress::Progress};
use anyhow::{Context, Result, anyhow};
use ctr_data::DatasetConfig;
use serde::Deserialize;
use toml::{Table, Value};

/// Loads a dataset and prints its facts.
pub fn inspect(args: &InspectArgs) -> Result<()> {
    let mut table = Table::new();
    for assignment in &args.set {
        overrides::apply(&mut table, assignment)?;
    }
    table.insert("name".into(), Value::String(args.dataset.clone()));
    if let Some(folder) = &args.data_dir {
        let folder = folder.to_str().with_context(|| format!("--data-dir {folder:?} is not valid UTF-8"))?;
        table.insert("data_dir".into(), Value::String(folder.into()));
    }
    let config =
        DatasetConfig::deserialize(table).map_err(|error| anyhow!("--set {}: {error}", args.set.join(" --set ")))?;
    let progress = Progress::new(1, args.output.quiet, args.output.no_progress);
    let dataset = ctr_data::load(&config, &|message| progress.line(message))?;
    if args.output.json { print_json(&dataset.facts) } else { print(&dataset.facts.to_string()) }
}

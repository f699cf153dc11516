//! From what a run works with to what it writes down.

use crate::config::{Protocol, RunConfig};
use anyhow::{Result, bail};
use ctr_data::Dataset;
use ctr_personalize::{Exclusion, Tasks};
use ctr_report::{CodeRecord, RunFolder, RunRecord, SCHEMA_VERSION, SystemRecord, rfc3339_utc};
use std::{collections::BTreeMap, time::SystemTime};

/// Which cell of the comparison is being filled.
pub struct CellLabel<'a> {
    pub model: &'a str,
    pub seed: u64,
    pub protocol: &'a str,
}

/// A record without results.
pub fn new_record(config: &RunConfig, dataset: &Dataset, folder: &RunFolder, started: SystemTime) -> Result<RunRecord> {
    let features = [("cuda", cfg!(feature = "cuda")), ("metal", cfg!(feature = "metal"))];
    let code = CodeRecord {
        version: env!("CARGO_PKG_VERSION").into(),
        commit: option_env!("CTRBENCH_COMMIT").map(str::to_owned),
        dirty: option_env!("CTRBENCH_DIRTY").map(|dirty| dirty == "true"),
        cargo_features: features.iter().filter(|(_, on)| *on).map(|(name, _)| (*name).to_owned()).collect(),
        profile: if cfg!(debug_assertions) { "debug" } else { "release" }.into(),
    };
    Ok(RunRecord {
        schema_version: SCHEMA_VERSION,
        run_id: folder.run_id().to_owned(),
        name: config.name.clone(),
        started_at: rfc3339_utc(started),
        wall_seconds: 0.0,
        finished: false,
        code,
        system: SystemRecord::collect(),
        config: serde_json::to_value(config)?,
        dataset: serde_json::to_value(&dataset.facts)?,
        judged_part: config.judged_part.split().name().to_owned(),
        global_ctr: dataset.global_ctr(),
        models: Vec::new(),
        cells: Vec::new(),
        curve: Vec::new(),
        phases_seconds: BTreeMap::new(),
        peak_memory_bytes: None,
    })
}

/// How many users each reason keeps out.
pub fn excluded_counts(tasks: &Tasks) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for (_, reason) in &tasks.excluded {
        *counts.entry(reason.name().to_owned()).or_default() += 1;
    }
    counts
}

/// The users that are kept out, by name.
pub fn excluded_rows(dataset: &Dataset, tasks: &Tasks) -> Vec<(String, &'static str)> {
    let row =
        |(user, reason): &(u32, ctr_personalize::Exclusion)| (dataset.user_keys[*user as usize].clone(), reason.name());
    tasks.excluded.iter().map(row).collect()
}

/// Refuses a protocol without users, saying why they were kept out and what helps.
pub fn require_users(tasks: &Tasks, protocol: Protocol, min_samples: usize) -> Result<()> {
    if !tasks.users.is_empty() {
        return Ok(());
    }
    let counts = excluded_counts(tasks);
    let few = Exclusion::FewLocalSamples.name();
    let remedy = if counts.keys().any(|reason| reason == few) {
        format!("lower fine_tuning.min_samples (now {min_samples}) or take a dataset with more samples per user")
    } else if tasks.excluded.iter().all(|(_, reason)| *reason == Exclusion::OneClassLocally) {
        "drop this protocol, or take a dataset whose users have both classes".to_owned()
    } else {
        "raise dataset.test_fraction (or validation_fraction, if that part judges), or take a dataset whose users have both classes there".to_owned()
    };
    bail!("no user is left to fine-tune under the {} protocol ({counts:?}); {remedy}", protocol.name())
}

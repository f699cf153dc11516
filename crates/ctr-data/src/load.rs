//! The way from a configuration to a dataset.

use std::path::PathBuf;

use crate::cache::Cache;
use crate::descriptor::Descriptor;
use crate::encode::encode;
use crate::facts_text::year_of;
use crate::folder::{Folder, data_variable};
use crate::log::Log;
use crate::read_log::read_log;
use crate::source_layout::Source;
use crate::verify::counts;
use crate::{DataError, Dataset, DatasetConfig, Facts, SplitRule, cache_key, config, negatives, subsample, synthetic};

/// Loads a dataset: from its encoded cache where that is sound, else from its files.
///
/// `progress` receives one line per step, and every warning.
///
/// # Errors
/// See [`DataError`]; each says what was seen and what to do.
pub fn load(config: &DatasetConfig, progress: &(dyn Fn(&str) + Sync)) -> Result<Dataset, DataError> {
    let descriptor = Descriptor::find(&config.name, config.category.as_deref())?;
    config.validate()?;
    load_with(config, &descriptor, data_variable(), progress)
}

/// The facts of a loaded dataset: what `ctrbench data inspect` prints.
pub fn inspect(dataset: &Dataset) -> &Facts {
    &dataset.facts
}

pub(crate) fn load_with(
    config: &DatasetConfig,
    descriptor: &Descriptor,
    data_variable: Option<PathBuf>,
    progress: &(dyn Fn(&str) + Sync),
) -> Result<Dataset, DataError> {
    let config = &DatasetConfig {
        split: Some(config.split.unwrap_or(descriptor.default_split())),
        negatives: config.negatives.or(descriptor.negatives),
        ..config.clone()
    };
    config.validate()?;
    let name = &descriptor.name;
    let may_rate = descriptor.source.as_ref().is_some_and(|source| source.label.is_rating);
    if let (false, Some(threshold)) = (may_rate, config.positive_rating) {
        let remedy = format!("{name} has clicks, not ratings: remove positive_rating");
        return Err(config::invalid("positive_rating", threshold, &remedy));
    }
    check_split(config, descriptor)?;
    let folder = match &descriptor.source {
        Some(_) => Some(Folder::find(config, descriptor, data_variable)?),
        None => None,
    };
    let files = match (&descriptor.source, &folder) {
        (Some(source), Some(folder)) => source_files(source, folder, progress)?,
        _ => Vec::new(),
    };
    let key = cache_key::key(config, descriptor, &files)?;
    let cache = Cache::new(&config.cache_dir, name, &key);
    if cache.exists() {
        match cache.read() {
            Ok(dataset) => {
                progress(&format!("{name}: {} samples from the cache {}", dataset.len(), cache.folder().display()));
                dataset.facts.warnings.iter().for_each(|warning| progress(&format!("warning: {warning}")));
                return Ok(dataset);
            }
            Err(reason) => progress(&format!(
                "warning: {name}: the cache {} is corrupt ({reason}); building it again",
                cache.folder().display()
            )),
        }
    }
    let mut log = match (&descriptor.source, &folder) {
        (Some(source), Some(folder)) => {
            progress(&format!("{name}: reading {} files", files.len()));
            let mut log = read_log(config, source, folder)?;
            warn_of_counts(descriptor, &mut log);
            warn_of_times(source, &mut log);
            check_clock(config, source, &log.time)?;
            log
        }
        _ => {
            progress(&format!("{name}: drawing {} users", config.synthetic.users));
            synthetic::generate(&config.synthetic, config.test_fraction)
        }
    };
    draw(config, &mut log)?;
    progress(&format!("{name}: encoding {} rows", log.rows()));
    let dataset = encode(config, descriptor, log)?;
    dataset.facts.warnings.iter().for_each(|warning| progress(&format!("warning: {warning}")));
    // A full or read-only disk must not cost the run.
    match cache.write(&dataset) {
        Ok(()) => progress(&format!("{name}: cached in {}", cache.folder().display())),
        Err(error) => progress(&format!("warning: {name}: no cache was written: {error}")),
    }
    Ok(dataset)
}

/// Drops users and adds negatives, where the configuration asks for it.
fn draw(config: &DatasetConfig, log: &mut Log) -> Result<(), DataError> {
    if let Some(users) = config.max_users {
        let all = log.user_keys.len();
        subsample::users(log, users, config.split_seed);
        log.origin.sampling.push(format!("{} of {all} users, seed {}", log.user_keys.len(), config.split_seed));
    }
    if let Some(rule) = &config.negatives {
        if log.label.contains(&0) {
            return Err(config::invalid("negatives", rule, "the log has negatives of its own: remove negatives"));
        }
        negatives::add(log, rule)?;
        log.origin.sampling.push(format!("negatives: {rule}"));
    }
    Ok(())
}

/// Warns where the unit can hardly be that of the times: far in the future, all within a moment after 1970, or all before.
fn warn_of_times(source: &Source, log: &mut Log) {
    let (unit, Some(&last)) = (&source.log.time_unit, log.time.iter().max()) else { return };
    let Some(year) = year_of(last, unit) else { return };
    if year > 2100 || (last > LARGEST_COUNTER && year < 1980) || last < 0 {
        log.origin.warnings.push(format!("times reach {last}, in {unit} the year {year}: is time_unit right?"));
    }
}

/// Times may be no more than an order.
const LARGEST_COUNTER: i64 = 1_000_000_000;

/// Warns where the counts are not those of the official files.
fn warn_of_counts(descriptor: &Descriptor, log: &mut Log) {
    for count in counts(descriptor, log) {
        if let Some(published) = count.published.filter(|published| *published != count.found) {
            let expects = match descriptor.own_folder {
                Some(_) => format!("the descriptor expects {published}"),
                None => format!("the official files hold {published}: is the download complete?"),
            };
            log.origin.warnings.push(format!("{}: {} {}, but {expects}", descriptor.name, count.found, count.what));
        }
    }
}

fn source_files(source: &Source, folder: &Folder, progress: &(dyn Fn(&str) + Sync)) -> Result<Vec<PathBuf>, DataError> {
    let mut files = Vec::new();
    for file in source.files() {
        match folder.file(&file)? {
            Some(path) => files.push(path),
            None => progress(&format!("warning: {} is absent; going on without it", file.path)),
        }
    }
    Ok(files)
}

/// The published split needs one; files in parts are not cut anew, and without times nothing is cut in time.
fn check_split(config: &DatasetConfig, descriptor: &Descriptor) -> Result<(), DataError> {
    let Some(source) = &descriptor.source else {
        let remedy = "it was not published in parts: choose another split";
        return if config.split_rule() == SplitRule::Published {
            Err(config::invalid("split", config.split_rule(), remedy))
        } else {
            Ok(())
        };
    };
    let name = &descriptor.name;
    let remedy = match config.split_rule() {
        SplitRule::Published if !source.has_published_split() => {
            format!("{name} was not published in parts: choose another split")
        }
        SplitRule::Published => return Ok(()),
        _ if source.log.held_out.is_some() => format!("{name} was published in parts: set split = \"published\""),
        SplitRule::UserRandom => return Ok(()),
        _ if source.log.time.is_none() => format!("{name} has no times: set split = \"user-random\""),
        _ => return Ok(()),
    };
    Err(config::invalid("split", config.split_rule(), &remedy))
}

/// A global time cut needs real timestamps.
fn check_clock(config: &DatasetConfig, source: &Source, time: &[i64]) -> Result<(), DataError> {
    let (Some([official_first, official_last]), SplitRule::GlobalTemporal) = (source.clock_range, config.split_rule())
    else {
        return Ok(());
    };
    let first = time.iter().copied().min().unwrap_or(official_first);
    let last = time.iter().copied().max().unwrap_or(official_last);
    if first == official_first && last == official_last {
        return Ok(());
    }
    let dataset = config.name.clone();
    Err(DataError::NoClock { dataset, first, last, official_first, official_last })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn a_changed_descriptor_rebuilds_the_cache() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = DatasetConfig::new("synthetic");
        config.cache_dir = folder.path().to_owned();
        config.synthetic.users = 20;
        let descriptor = Descriptor::find("synthetic", None).unwrap();
        let from_cache = |descriptor: &Descriptor| {
            let messages = Mutex::new(String::new());
            load_with(&config, descriptor, None, &|message| messages.lock().unwrap().push_str(message)).unwrap();
            messages.into_inner().unwrap().contains("from the cache")
        };
        assert!(!from_cache(&descriptor));
        assert!(from_cache(&descriptor));
        let changed = Descriptor::parse("synthetic", &format!("{}# changed", descriptor.text)).unwrap();
        assert!(!from_cache(&changed));
    }
}

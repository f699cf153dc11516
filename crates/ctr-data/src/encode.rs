//! From the canonical log to ids, histories and facts.

use std::collections::BTreeMap;

use crate::config::invalid;
use crate::descriptor::Descriptor;
use crate::guard::Encoded;
use crate::history;
use crate::log::{Codes, Column, Log};
use crate::value_lists::LONGEST_LIST;
use crate::vocabulary::{self, LocalIds, Vocabulary};
use crate::{
    DataError, Dataset, DatasetConfig, Facts, Field, Samples, Split, SplitRule, ValueLists, guard, measure, split,
};

/// Index of the item field: columns of a log start with the item.
const ITEM_FIELD: usize = 0;

/// Splits and encodes `log`, runs the split guard, and measures the facts.
pub(crate) fn encode(config: &DatasetConfig, descriptor: &Descriptor, mut log: Log) -> Result<Dataset, DataError> {
    let splits = split::assign(config, &log);
    check_parts(config, &log, &splits)?;
    let hashes = crate::fingerprint::hash(&log, &splits);
    if config.user_id_feature {
        let users = 0..log.user_keys.len() as u32;
        log.columns.push(Column {
            name: "user".to_owned(),
            codes: Codes::User(users.collect()),
            dictionary: log.user_keys.clone(),
            is_list: false,
        });
    }

    let mut fields = Vec::with_capacity(log.columns.len());
    let mut global_ids = Vec::with_capacity(log.columns.len());
    let (mut lists, mut offset) = (BTreeMap::new(), 0);
    for column in &log.columns {
        let Vocabulary { local, size } = vocabulary::build(&log, &splits, column, config.min_count);
        let global = |ids: Vec<u32>| ids.into_iter().map(|id| offset + id).collect::<Vec<u32>>();
        global_ids.push(match local {
            LocalIds::Single(ids) => global(ids),
            LocalIds::Lists(of_codes) => {
                let of_codes: Vec<Vec<u32>> = of_codes.into_iter().map(global).collect();
                lists.insert(fields.len(), ValueLists::of(&of_codes));
                (0..of_codes.len() as u32).collect()
            }
            LocalIds::Windows { ids, ranges } => {
                lists.insert(fields.len(), ValueLists::new(global(ids), ranges));
                (0..log.rows() as u32).collect()
            }
        });
        fields.push(Field { name: column.name.clone(), offset, vocabulary_size: size });
        offset += size;
    }
    for (&field, lists) in &lists {
        let (name, longest) = (&fields[field].name, lists.longest());
        if longest > LONGEST_LIST {
            let remedy =
                format!("set max_values of field '{name}' to at most {LONGEST_LIST}: samples are padded to it");
            return Err(invalid("max_values", format!("a list of {longest} values"), &remedy));
        }
    }
    let values: usize = lists.values().map(|lists| lists.ids().len()).sum();
    if u32::try_from(values).is_err() {
        return Err(invalid(
            "max_values",
            format!("{values} values of lists"),
            "lower it: ctrbench indexes at most 2^32",
        ));
    }
    let mut ids = vec![0; log.rows() * fields.len()];
    for (row, sample) in ids.chunks_exact_mut(fields.len()).enumerate() {
        for ((id, column), global) in sample.iter_mut().zip(&log.columns).zip(&global_ids) {
            *id = global[log.code(column, row) as usize];
        }
    }
    let histories = history::build(&log, &splits, config.split_rule(), config.history_length, &global_ids[ITEM_FIELD]);
    let checks =
        guard::check(config, &log, &splits, &Encoded { fields: &fields, lists: &lists, ids: &ids }, &histories)?;

    let Log { user_keys, user, time, label, true_probability, origin, columns, .. } = log;
    let mut items_seen = vec![false; columns[ITEM_FIELD].dictionary.len()];
    log.item.iter().for_each(|&item| items_seen[item as usize] = true);
    let items = items_seen.iter().filter(|seen| **seen).count();
    let samples = Samples {
        user,
        time,
        label,
        split: splits,
        ids,
        history_items: histories.items,
        history_range: histories.ranges,
        true_probability,
    };
    let mut dataset = Dataset {
        name: descriptor.name.clone(),
        fields,
        lists,
        item_field: ITEM_FIELD,
        history_length: config.history_length,
        user_keys,
        samples,
        facts: Facts::default(),
    };
    dataset.facts = measure::facts(config, descriptor, &dataset, items, origin, checks, hashes);
    Ok(dataset)
}

/// The split rule with its fractions, in words; `test_from` is the first time of a published test part that is a cut in time.
pub(crate) fn split_in_words(config: &DatasetConfig, test_from: Option<i64>) -> String {
    let rule = config.split_rule();
    let fractions = format!("test {}, validation {}", config.test_fraction, config.validation_fraction);
    match (rule, test_from) {
        (SplitRule::Published, Some(time)) => {
            format!("{rule}, test from {time}, validation {} of what is before", config.validation_fraction)
        }
        (SplitRule::Published | SplitRule::UserLast, _) => rule.to_string(),
        (SplitRule::UserRandom, _) => format!("{rule}, {fractions}, seed {}", config.split_seed),
        (SplitRule::UserTemporal | SplitRule::GlobalTemporal, _) => format!("{rule}, {fractions}"),
    }
}

/// Refuses empty parts and labels of one class.
fn check_parts(config: &DatasetConfig, log: &Log, splits: &[Split]) -> Result<(), DataError> {
    one_class(config, log, "loaded", log.label.iter().copied())?;
    for part in Split::ALL {
        if !splits.contains(&part) {
            return Err(DataError::EmptySplit {
                dataset: config.name.clone(),
                part: part.name().to_owned(),
                rule: split_in_words(config, log.test_from),
                rows: log.rows(),
                remedy: "raise its fraction, choose another split rule, or use a larger dataset".to_owned(),
            });
        }
    }
    let training = splits.iter().zip(&log.label).filter(|(split, _)| **split == Split::Train);
    one_class(config, log, "training", training.map(|(_, label)| *label))
}

fn one_class(config: &DatasetConfig, log: &Log, part: &str, labels: impl Iterator<Item = u8>) -> Result<(), DataError> {
    let (mut rows, mut positives) = (0, 0);
    labels.for_each(|label| {
        rows += 1;
        positives += usize::from(label);
    });
    if positives > 0 && positives < rows || rows == 0 {
        return Ok(());
    }
    Err(DataError::OneClass {
        dataset: config.name.clone(),
        part: part.to_owned(),
        rows,
        class: u8::from(positives > 0),
        rule: log.origin.label_rule.clone(),
        remedy: if positives > 0 && part == "loaded" && !log.origin.is_rating {
            "draw negatives: [dataset.negatives]".to_owned()
        } else if log.origin.is_rating {
            "both classes are needed: change positive_rating or the data".to_owned()
        } else {
            "both classes are needed: change the data, or the split where only one part lacks a class".to_owned()
        },
    })
}

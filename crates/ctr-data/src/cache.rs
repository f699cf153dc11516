//! The encoded dataset on disk: `samples.parquet`, `histories.parquet`, `lists.parquet`, `values.parquet` and `dataset.toml`.
//!
//! `dataset.toml` holds the hashes of the others and, in its first line, of itself. It is written
//! last, so a folder without it was never finished.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use polars::prelude::{Column, NamedFrom, Series};
use serde::{Deserialize, Serialize};

use crate::cache_key::hash_file;
use crate::log::runs;
use crate::{DataError, Dataset, Facts, Field, Samples, Split, ValueLists, parquet};

const SAMPLES: &str = "samples.parquet";
const HISTORIES: &str = "histories.parquet";
/// The lists of fields with several values: start and end of each in `values.parquet`.
const LISTS: &str = "lists.parquet";
const VALUES: &str = "values.parquet";
const DATASET: &str = "dataset.toml";
const HASH_PREFIX: &str = "# blake3 ";

/// Everything but the samples.
#[derive(Serialize, Deserialize)]
struct Header {
    name: String,
    item_field: usize,
    history_length: usize,
    has_true_probability: bool,
    samples_hash: String,
    histories_hash: String,
    lists_hash: String,
    values_hash: String,
    user_keys: Vec<String>,
    fields: Vec<Field>,
    facts: Facts,
}

/// Writes `dataset` to `folder` in the layout of the cache, for other programs to read; `docs/data.md` has the columns.
///
/// # Errors
/// If the folder cannot be written.
pub fn write_encoded(dataset: &Dataset, folder: &Path) -> Result<(), DataError> {
    Cache { folder: folder.to_owned() }.write(dataset)
}

/// The folder of one encoded dataset.
pub(crate) struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// The cache of `name` under `key` within `cache_dir`.
    pub fn new(cache_dir: &Path, name: &str, key: &str) -> Cache {
        Cache { folder: cache_dir.join(format!("{name}-{}", &key[..16])) }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether the cache was ever finished.
    pub fn exists(&self) -> bool {
        self.folder.join(DATASET).is_file()
    }

    /// Reads the dataset back.
    ///
    /// # Errors
    /// In words, why the cache cannot be trusted.
    pub fn read(&self) -> Result<Dataset, String> {
        let header = self.read_header()?;
        let files = [
            (SAMPLES, &header.samples_hash),
            (HISTORIES, &header.histories_hash),
            (LISTS, &header.lists_hash),
            (VALUES, &header.values_hash),
        ];
        for (file, expected) in files {
            let found = hash_file(&self.folder.join(file)).map_err(|error| error.to_string())?;
            if found.to_hex().as_str() != expected {
                return Err(format!("{file} does not have the hash it was written with"));
            }
        }
        let samples = self.read_samples(&header).map_err(|error| error.to_string())?;
        let lists = self.read_lists().map_err(|error| error.to_string())?;
        Ok(Dataset {
            name: header.name,
            fields: header.fields,
            lists,
            item_field: header.item_field,
            history_length: header.history_length,
            user_keys: header.user_keys,
            samples,
            facts: header.facts,
        })
    }

    /// Writes `dataset`; each file under a temporary name first.
    pub fn write(&self, dataset: &Dataset) -> Result<(), DataError> {
        fs::create_dir_all(&self.folder).map_err(DataError::io("create", &self.folder))?;
        let samples_hash = self.write_parquet(SAMPLES, dataset.len(), &|rows| sample_columns(dataset, rows))?;
        let items = &dataset.samples.history_items;
        let histories_hash = self.write_parquet(HISTORIES, items.len(), &|rows| vec![column("item", &items[rows])])?;
        let (lists, values) = flat(&dataset.lists);
        let header = Header {
            name: dataset.name.clone(),
            item_field: dataset.item_field,
            history_length: dataset.history_length,
            has_true_probability: dataset.samples.true_probability.is_some(),
            samples_hash,
            histories_hash,
            lists_hash: self.write_parquet(LISTS, lists.len(), &|rows| list_columns(&lists[rows]))?,
            values_hash: self.write_parquet(VALUES, values.len(), &|rows| vec![column("id", &values[rows])])?,
            user_keys: dataset.user_keys.clone(),
            fields: dataset.fields.clone(),
            facts: dataset.facts.clone(),
        };
        let body = toml::to_string(&header)
            .map_err(|error| DataError::Descriptor { name: dataset.name.clone(), message: error.to_string() })?;
        let text = format!("{HASH_PREFIX}{}\n{body}", blake3::hash(body.as_bytes()).to_hex());
        let temporary = self.temporary(DATASET);
        fs::write(&temporary, text).map_err(DataError::io("write", &temporary))?;
        self.publish(&temporary, DATASET)
    }

    fn read_header(&self) -> Result<Header, String> {
        let text = fs::read_to_string(self.folder.join(DATASET)).map_err(|error| format!("{DATASET}: {error}"))?;
        let (first, body) = text.split_once('\n').ok_or_else(|| format!("{DATASET} is truncated"))?;
        if first.strip_prefix(HASH_PREFIX) != Some(blake3::hash(body.as_bytes()).to_hex().as_str()) {
            return Err(format!("{DATASET} does not have the hash it was written with"));
        }
        toml::from_str(body).map_err(|error| format!("{DATASET}: {error}"))
    }

    fn read_samples(&self, header: &Header) -> Result<Samples, DataError> {
        let path = self.folder.join(SAMPLES);
        let label = parquet::read_u32(&path, "label")?.into_iter().map(|label| label as u8).collect();
        let split = parquet::read_u32(&path, "split")?.into_iter().map(|part| Split::ALL[part as usize % 3]).collect();
        let starts = parquet::read_u32(&path, "history_start")?;
        let history_range = starts.into_iter().zip(parquet::read_u32(&path, "history_end")?).collect();
        let user = parquet::read_u32(&path, "user")?;
        let mut ids = vec![0; user.len() * header.fields.len()];
        for (index, field) in header.fields.iter().enumerate() {
            let values = parquet::read_u32(&path, &id_column(index, field))?;
            for (sample, value) in ids.chunks_exact_mut(header.fields.len()).zip(values) {
                sample[index] = value;
            }
        }
        let true_probability =
            header.has_true_probability.then(|| parquet::read_f32(&path, "true_probability")).transpose()?;
        Ok(Samples {
            user,
            time: parquet::read_i64(&path, "time")?,
            label,
            split,
            ids,
            history_items: parquet::read_u32(&self.folder.join(HISTORIES), "item")?,
            history_range,
            true_probability,
        })
    }

    fn read_lists(&self) -> Result<BTreeMap<usize, ValueLists>, DataError> {
        let path = self.folder.join(LISTS);
        let columns = ["field", "start", "end"].map(|name| parquet::read_u32(&path, name));
        let [fields, starts, ends] = columns;
        let (fields, starts, ends) = (fields?, starts?, ends?);
        let values = parquet::read_u32(&self.folder.join(VALUES), "id")?;
        let ranges: Vec<(u32, u32)> = starts.into_iter().zip(ends).collect();
        let of_field = |lists: Range<usize>| {
            let ranges = &ranges[lists.clone()];
            let first = ranges.iter().map(|range| range.0).min().unwrap_or(0);
            let end = ranges.iter().map(|range| range.1).max().unwrap_or(first);
            let ids = values[first as usize..end as usize].to_vec();
            let ranges = ranges.iter().map(|range| (range.0 - first, range.1 - first)).collect();
            (fields[lists.start] as usize, ValueLists::new(ids, ranges))
        };
        Ok(runs(&fields, 0..fields.len()).map(of_field).collect())
    }

    /// Returns the hash of the file written.
    fn write_parquet(&self, name: &str, rows: usize, block: parquet::Block) -> Result<String, DataError> {
        let temporary = self.temporary(name);
        parquet::write(&temporary, rows, block)?;
        let hash = hash_file(&temporary)?.to_hex().to_string();
        self.publish(&temporary, name)?;
        Ok(hash)
    }

    /// A name of this process alone, so that two runs do not write into one file.
    fn temporary(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.{}.tmp", std::process::id()))
    }

    fn publish(&self, temporary: &Path, name: &str) -> Result<(), DataError> {
        let path = self.folder.join(name);
        fs::rename(temporary, &path).map_err(DataError::io("rename to", &path))
    }
}

/// A list: its field, its start and its end among all values.
type List = (u32, u32, u32);

/// The lists of all fields, and their values one after the other.
fn flat(lists: &BTreeMap<usize, ValueLists>) -> (Vec<List>, Vec<u32>) {
    let (mut all, mut values) = (Vec::new(), Vec::new());
    for (&field, of_field) in lists {
        let first = values.len() as u32;
        all.extend(of_field.ranges().iter().map(|&(start, end)| (field as u32, first + start, first + end)));
        values.extend_from_slice(of_field.ids());
    }
    (all, values)
}

fn numbers(name: &str, values: Vec<u32>) -> Column {
    column(name, &values[..])
}

fn list_columns(lists: &[List]) -> Vec<Column> {
    vec![
        numbers("field", lists.iter().map(|list| list.0).collect()),
        numbers("start", lists.iter().map(|list| list.1).collect()),
        numbers("end", lists.iter().map(|list| list.2).collect()),
    ]
}

/// Of the ids of a field; where it has lists, of their indices.
fn id_column(index: usize, field: &Field) -> String {
    format!("id {index} {}", field.name)
}

fn column<'a, T: ?Sized>(name: &str, values: &'a T) -> Column
where
    Series: NamedFrom<&'a T, T>,
{
    Series::new(name.into(), values).into()
}

fn sample_columns(dataset: &Dataset, rows: Range<usize>) -> Vec<Column> {
    let samples = &dataset.samples;
    let ranges = &samples.history_range[rows.clone()];
    let mut columns = vec![
        column("user", &samples.user[rows.clone()]),
        column("time", &samples.time[rows.clone()]),
        numbers("label", samples.label[rows.clone()].iter().map(|&label| u32::from(label)).collect()),
        numbers("split", samples.split[rows.clone()].iter().map(|&split| split as u32).collect()),
        numbers("history_start", ranges.iter().map(|range| range.0).collect()),
        numbers("history_end", ranges.iter().map(|range| range.1).collect()),
    ];
    for (index, field) in dataset.fields.iter().enumerate() {
        let ids = rows.clone().map(|row| dataset.sample_ids(row)[index]).collect();
        columns.push(numbers(&id_column(index, field), ids));
    }
    if let Some(probabilities) = &samples.true_probability {
        columns.push(column("true_probability", &probabilities[rows]));
    }
    columns
}

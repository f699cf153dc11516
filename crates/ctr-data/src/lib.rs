//! Datasets for click-through-rate models: descriptors, loaders, named splits,
//! training-only vocabularies, histories, an encoded cache, and a synthetic generator.
//!
//! [`load`] turns a [`DatasetConfig`] into an immutable [`Dataset`]; `docs/data.md` has the rules.
//!
//! ```no_run
//! let config = ctr_data::DatasetConfig::new("movielens-100k");
//! let dataset = ctr_data::load(&config, &|message| eprintln!("{message}"))?;
//! println!("{}", dataset.facts);
//! # Ok::<(), ctr_data::DataError>(())
//! ```

mod auc;
mod bad_rows;
mod behaviors;
mod blocks;
mod cache;
mod cache_key;
mod catalog;
mod categories;
mod checksum;
mod config;
mod dataset;
mod descriptor;
mod descriptor_check;
mod download;
mod embedded;
mod encode;
mod error;
mod facts;
mod facts_text;
mod fingerprint;
mod folder;
mod grouped;
mod guard;
mod history;
mod item_lists;
mod json_lines;
mod keys;
mod labels;
mod lines;
mod load;
mod log;
mod measure;
mod negatives;
mod parquet;
mod parquet_source;
mod quick_parse;
mod read_log;
mod read_table;
mod row_checks;
mod source_file;
mod source_layout;
mod split;
mod subsample;
mod synthetic;
mod table;
mod transform;
mod value_lists;
mod values;
mod verify;
mod vocabulary;

pub use bad_rows::BadRowRule;
pub use cache::write_encoded;
pub use catalog::{CatalogEntry, catalog, default_config};
pub use config::{DatasetConfig, SplitRule};
pub use dataset::{Dataset, Field, NO_USER, Samples, Split};
pub use download::download;
pub use embedded::{check_name, known_names};
pub use error::DataError;
pub use facts::{Check, Facts, FieldFacts, LocalCtr, PartFacts};
pub use grouped::grouped;
pub use load::{inspect, load};
pub use negatives::{NegativeDistribution, NegativeSampling};
pub use synthetic::SyntheticConfig;
pub use value_lists::ValueLists;
pub use verify::{Verification, VerifiedCount, VerifiedFile, verify};

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
mod cache;
mod cache_key;
mod config;
mod dataset;
mod delimited;
mod descriptor;
mod encode;
mod error;
mod facts;
mod facts_text;
mod fingerprint;
mod guard;
mod history;
mod load;
mod log;
mod measure;
mod parquet;
mod read_log;
mod scan;
mod source;
mod split;
mod synthetic;
mod table;
mod transform;
mod vocabulary;

pub use cache::write_encoded;
pub use config::{DatasetConfig, SplitRule};
pub use dataset::{Dataset, Field, Samples, Split};
pub use descriptor::known_names;
pub use error::DataError;
pub use facts::{Check, Facts, FieldFacts, LocalCtr, PartFacts};
pub use load::{inspect, load};
pub use synthetic::SyntheticConfig;

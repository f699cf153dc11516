//! What is known of every dataset before its files are there.

use serde::Serialize;

use crate::descriptor::Descriptor;
use crate::embedded::known_names;
use crate::{DataError, DatasetConfig, SplitRule};

/// One dataset of `ctrbench data list`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CatalogEntry {
    /// Name in configurations.
    pub name: String,
    /// What it is.
    pub title: String,
    /// Published number of rows of the log, if any is.
    pub rows: Option<u64>,
    /// Published number of users.
    pub users: Option<u64>,
    /// Published number of items.
    pub items: Option<u64>,
    /// Whether samples belong to users; without them nothing can be fine-tuned.
    pub has_users: bool,
    /// How samples are cut where the configuration does not say.
    pub split: SplitRule,
    /// Whether `split = "published"` is possible.
    pub has_published_split: bool,
    /// Whether `ctrbench data download` can fetch it.
    pub can_be_downloaded: bool,
    /// Where it is from.
    pub home_page: String,
    /// Its terms, as published.
    pub licence: String,
    /// What to cite.
    pub citation: String,
}

/// Every dataset that ctrbench has a descriptor of.
///
/// # Errors
/// A descriptor that does not parse, which is a defect of ctrbench.
pub fn catalog() -> Result<Vec<CatalogEntry>, DataError> {
    known_names().into_iter().map(|name| Ok(entry(Descriptor::find(name, None)?))).collect()
}

fn entry(descriptor: Descriptor) -> CatalogEntry {
    let split = descriptor.default_split();
    let expected = descriptor.expected.unwrap_or_default();
    let source = descriptor.source.as_ref();
    CatalogEntry {
        split,
        name: descriptor.name,
        title: descriptor.title,
        rows: expected.rows,
        users: expected.users,
        items: expected.items,
        has_users: source.is_none_or(|source| source.log.user.is_some()),
        has_published_split: source.is_some_and(|source| source.has_published_split()),
        can_be_downloaded: !descriptor.download.is_empty(),
        home_page: descriptor.home_page,
        licence: descriptor.licence,
        citation: descriptor.citation,
    }
}

/// The settings under which a dataset loads without a choice of its user's: as its descriptor says.
///
/// # Errors
/// [`DataError::UnknownDataset`]; a descriptor that does not parse.
pub fn default_config(name: &str) -> Result<DatasetConfig, DataError> {
    let descriptor = Descriptor::find(name, None)?;
    let mut config = DatasetConfig::new(name);
    config.split = Some(descriptor.default_split());
    config.negatives = descriptor.negatives;
    Ok(config)
}

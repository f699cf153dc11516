//! What is known of a dataset before its files are read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::config::invalid;
use crate::descriptor_check::check;
use crate::embedded::{self, known_names};
use crate::source_layout::Source;
use crate::{DataError, NegativeSampling, SplitRule};

/// Stands for the category in descriptors of sources that are published in categories.
const CATEGORY: &str = "{category}";

const DEFAULT_CATEGORY: &str = "Electronics";

/// What is known of a dataset before its files are read.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Descriptor {
    pub name: String,
    pub title: String,
    #[serde(default = "not_stated")]
    pub home_page: String,
    #[serde(default = "not_stated")]
    pub licence: String,
    #[serde(default = "not_stated")]
    pub citation: String,
    pub expected: Option<Expected>,
    /// The same by category, for sources that are published in categories.
    #[serde(default)]
    pub expected_of: BTreeMap<String, Expected>,
    /// Published MD5 of files, by name; `data verify` compares.
    #[serde(default)]
    pub md5: BTreeMap<String, String>,
    /// What `data download` fetches; nothing where the official address cannot be fetched without an account.
    #[serde(default)]
    pub download: Vec<Download>,
    /// How samples are cut where the configuration does not say.
    pub split: Option<SplitRule>,
    /// How negatives are drawn where the configuration does not say, for logs that have none.
    pub negatives: Option<NegativeSampling>,
    /// Absent for a generated dataset.
    pub source: Option<Source>,
    /// The descriptor as written, which is part of the cache key.
    #[serde(skip)]
    pub text: String,
    /// Folder of a descriptor of the user's own, whose files lie beside it.
    #[serde(skip)]
    pub own_folder: Option<PathBuf>,
}

fn not_stated() -> String {
    "not stated".to_owned()
}

/// A file at its official address.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Download {
    pub url: String,
    /// MD5 in hexadecimal, where one is published.
    pub md5: Option<String>,
    /// Size, where one is published.
    pub bytes: Option<u64>,
    /// Files taken out of the archive, by file name, in whatever folder they are. Empty: the file is kept as it is.
    #[serde(default)]
    pub unpack: Vec<String>,
    /// The dataset's, for messages.
    #[serde(skip)]
    pub home_page: String,
}

/// Published counts of the official files, as far as there are any; others are reported, not refused.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expected {
    pub users: Option<u64>,
    /// Items with rows.
    pub items: Option<u64>,
    /// Items in the file of items.
    pub items_listed: Option<u64>,
    pub rows: Option<u64>,
}

impl Descriptor {
    /// The embedded descriptor called `name`, or the user's own at the path `name` that ends in `.toml`. `category` is the
    /// part that is meant where a source is published in categories.
    pub fn find(name: &str, category: Option<&str>) -> Result<Descriptor, DataError> {
        if name.ends_with(".toml") {
            return Descriptor::read(Path::new(name));
        }
        let text = embedded::text(name)?;
        if text.contains(CATEGORY) {
            let category = category.unwrap_or(DEFAULT_CATEGORY);
            if !category.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                let remedy = "use the category as the file names write it, for example Movies_and_TV";
                return Err(invalid("category", category, remedy));
            }
            let mut descriptor =
                Descriptor::parse(&format!("datasets/{name}.toml"), &text.replace(CATEGORY, category))?;
            descriptor.expected = descriptor.expected_of.get(category).cloned();
            return Ok(descriptor);
        }
        if let Some(category) = category {
            return Err(invalid("category", category, &format!("{name} is not published in categories: remove it")));
        }
        Descriptor::parse(&format!("datasets/{name}.toml"), text)
    }

    fn read(path: &Path) -> Result<Descriptor, DataError> {
        let text = std::fs::read_to_string(path).map_err(DataError::io("read", path))?;
        let mut descriptor = Descriptor::parse(&path.display().to_string(), &text)?;
        let fault =
            |message: &str| DataError::Descriptor { name: path.display().to_string(), message: message.to_owned() };
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if descriptor.name.is_empty() || !descriptor.name.chars().all(allowed) {
            return Err(fault("name becomes part of file names: use letters, digits, - and _"));
        }
        if known_names().contains(&descriptor.name.as_str()) {
            return Err(fault(&format!("'{}' is the name of a dataset of ctrbench: choose another", descriptor.name)));
        }
        if descriptor.source.is_none() {
            return Err(fault("[source] is missing: it says which files hold the log; docs/data.md has an example"));
        }
        descriptor.own_folder = Some(path.parent().unwrap_or(Path::new("")).to_owned());
        Ok(descriptor)
    }

    /// How samples are cut where the configuration does not say: as the descriptor says; else as published, where that is
    /// possible, by each user's times, or at random where there are none.
    pub fn default_split(&self) -> SplitRule {
        let source = self.source.as_ref();
        self.split.unwrap_or(match source {
            Some(source) if source.has_published_split() => SplitRule::Published,
            Some(source) if source.log.time.is_none() => SplitRule::UserRandom,
            _ => SplitRule::UserTemporal,
        })
    }

    /// Parses the text of a descriptor.
    pub fn parse(name: &str, text: &str) -> Result<Descriptor, DataError> {
        let mut descriptor: Descriptor = toml::from_str(text)
            .map_err(|error| DataError::Descriptor { name: name.to_owned(), message: error.to_string() })?;
        descriptor.text = text.to_owned();
        let home_page = &descriptor.home_page;
        descriptor.download.iter_mut().for_each(|file| file.home_page.clone_from(home_page));
        if let Some(source) = &descriptor.source {
            check(source).map_err(|message| DataError::Descriptor { name: name.to_owned(), message })?;
        }
        Ok(descriptor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source_layout::Owner;

    #[test]
    fn every_embedded_descriptor_parses_and_its_fields_name_columns_that_are_read() {
        for name in known_names() {
            let descriptor = Descriptor::find(name, None).unwrap();
            assert_eq!(descriptor.name, name);
            assert!(descriptor.split.is_some(), "{name} states its split");
            let Some(source) = descriptor.source else { continue };
            for field in &source.fields {
                let file = match field.of {
                    Owner::User => &source.users.as_ref().expect("users").file,
                    Owner::Item => &source.items.as_ref().expect("items").file,
                    Owner::Row => &source.log.file,
                    Owner::Behavior => &source.behaviors.as_ref().expect("behaviors").file,
                };
                for column in &field.columns {
                    assert!(file.columns.iter().any(|c| c.name == *column), "{name}: {column}");
                }
            }
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let message = Descriptor::find("movielens", None).unwrap_err().to_string();
        assert!(
            message.starts_with("unknown dataset 'movielens'; known: synthetic, movielens-latest-small, "),
            "{message}"
        );
    }
}

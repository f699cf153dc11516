//! The descriptors of `datasets/*.toml`, compiled in.

use crate::DataError;

/// Name and descriptor text of every dataset.
const EMBEDDED: [(&str, &str); 21] = [
    ("synthetic", include_str!("../../../datasets/synthetic.toml")),
    ("movielens-latest-small", include_str!("../../../datasets/movielens-latest-small.toml")),
    ("movielens-100k", include_str!("../../../datasets/movielens-100k.toml")),
    ("movielens-1m", include_str!("../../../datasets/movielens-1m.toml")),
    ("movielens-10m", include_str!("../../../datasets/movielens-10m.toml")),
    ("movielens-20m", include_str!("../../../datasets/movielens-20m.toml")),
    ("movielens-25m", include_str!("../../../datasets/movielens-25m.toml")),
    ("movielens-32m", include_str!("../../../datasets/movielens-32m.toml")),
    ("kuairand-pure", include_str!("../../../datasets/kuairand-pure.toml")),
    ("kuairand-1k", include_str!("../../../datasets/kuairand-1k.toml")),
    ("amazon-2014", include_str!("../../../datasets/amazon-2014.toml")),
    ("amazon-2018", include_str!("../../../datasets/amazon-2018.toml")),
    ("amazon-2023", include_str!("../../../datasets/amazon-2023.toml")),
    ("taobao-ads", include_str!("../../../datasets/taobao-ads.toml")),
    ("taobao-userbehavior", include_str!("../../../datasets/taobao-userbehavior.toml")),
    ("frappe", include_str!("../../../datasets/frappe.toml")),
    ("frappe-libfm", include_str!("../../../datasets/frappe-libfm.toml")),
    ("movielens-latest-x1", include_str!("../../../datasets/movielens-latest-x1.toml")),
    ("movielens-latest-libfm", include_str!("../../../datasets/movielens-latest-libfm.toml")),
    ("criteo-x1", include_str!("../../../datasets/criteo-x1.toml")),
    ("avazu-x1", include_str!("../../../datasets/avazu-x1.toml")),
];

/// Names of the datasets that [`crate::load`] knows beside descriptors of the user's own.
pub fn known_names() -> Vec<&'static str> {
    EMBEDDED.iter().map(|(name, _)| *name).collect()
}

/// Whether `name` is one of [`known_names`], or the path of a descriptor of the user's own.
///
/// # Errors
/// [`DataError::UnknownDataset`] with the known names.
pub fn check_name(name: &str) -> Result<(), DataError> {
    if name.ends_with(".toml") { Ok(()) } else { text(name).map(|_| ()) }
}

/// The descriptor of the dataset `name`, as written.
///
/// # Errors
/// [`DataError::UnknownDataset`] with the known names.
pub(crate) fn text(name: &str) -> Result<&'static str, DataError> {
    let found = EMBEDDED.iter().find(|(known, _)| *known == name).map(|(_, text)| *text);
    found.ok_or_else(|| DataError::UnknownDataset { name: name.to_owned(), known: known_names().join(", ") })
}

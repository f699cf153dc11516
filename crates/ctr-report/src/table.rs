//! The comparison table and the formats it is written in, one file each.

mod comparison;
mod csv;
mod json;
mod mark;
mod markdown;
mod summary;
mod text;

pub use comparison::{Comparison, ComparisonRow};
pub use csv::Csv;
pub use json::Json;
pub use mark::{FEWEST_USERS_TO_SHOW, Mark};
pub use markdown::Markdown;
pub use summary::{Change, Summary};
pub use text::Text;

use crate::ReportError;

/// A way to write a comparison.
pub trait TableFormat {
    /// Extension of its files, without the dot.
    fn extension(&self) -> &'static str;

    /// The whole table, ending in a line break.
    ///
    /// # Errors
    /// A value that the format cannot hold.
    fn render(&self, comparison: &Comparison) -> Result<String, ReportError>;
}

/// The formats of the files in `tables/`.
pub const FILE_FORMATS: [&dyn TableFormat; 3] = [&Markdown, &Csv, &Json];

//! Whether a descriptor's files and fields can be what it says.

use crate::source_file::SourceFile;
use crate::source_layout::{FieldRule, Owner, Source};
use crate::transform::Transform;

/// Units of a log's times; the last is that of a log without any.
const TIME_UNITS: [&str; 6] = ["seconds", "milliseconds", "minutes", "hours", "days", "none"];

/// Says what is wrong with a source, if anything is.
///
/// # Errors
/// A message that names the file or the field.
pub(crate) fn check(source: &Source) -> Result<(), String> {
    source.files().iter().try_for_each(check_file)?;
    let (unit, has_time) = (source.log.time_unit.as_str(), source.log.time.is_some());
    if !TIME_UNITS.contains(&unit) || has_time == (unit == "none") {
        return Err(format!(
            "time_unit is \"{unit}\"; use one of {} with a time column, and none without one",
            TIME_UNITS[..5].join(", ")
        ));
    }
    source.fields.iter().try_for_each(|field| check_field(source, field))
}

fn check_file(file: &SourceFile) -> Result<(), String> {
    let mut names: Vec<&str> = file.columns.iter().map(|column| column.name.as_str()).collect();
    names.sort_unstable();
    let twice = names.windows(2).any(|pair| pair[0] == pair[1]);
    if names.is_empty() || twice || names[0].is_empty() {
        return Err(format!("{} needs columns, each with a name of its own", file.path));
    }
    if file.separator.is_empty() || !file.separator.is_ascii() {
        return Err(format!("the separator of {} is '{}'; it must be ASCII text", file.path, file.separator));
    }
    Ok(())
}

fn check_field(source: &Source, field: &FieldRule) -> Result<(), String> {
    let FieldRule { name, columns, transform, bounds, .. } = field;
    if (*transform == Transform::Bucket) == bounds.is_empty() || !bounds.is_sorted_by(|a, b| a < b) {
        return Err(format!(
            "field '{name}' has transform {transform:?} and bounds {bounds:?}; a bucket needs ascending bounds, and only it has any"
        ));
    }
    if !transform.is_list() && (field.separator.is_some() || field.max_values.is_some()) {
        return Err(format!("field '{name}' has transform {transform:?}; only lists have a separator and max_values"));
    }
    if field.separator.as_ref().is_some_and(String::is_empty) {
        return Err(format!("the separator of field '{name}' is empty; write what stands between its values"));
    }
    let owner = match field.of {
        Owner::User if source.users.is_none() => Some("user"),
        Owner::Item if source.items.is_none() => Some("item"),
        Owner::Behavior if source.behaviors.is_none() => Some("behavior"),
        _ => None,
    };
    if let Some(owner) = owner {
        return Err(format!("field '{name}' is of a {owner}, but the source has no file of them"));
    }
    if (field.of == Owner::Behavior) != (*transform == Transform::Recent) {
        return Err(format!("field '{name}' needs transform \"recent\" if it is of a behavior, and only then"));
    }
    if *transform == Transform::Recent && (field.max_values.is_none() || source.log.time.is_none()) {
        return Err(format!(
            "field '{name}' needs max_values, and a log with times: it holds the last behaviors before a row"
        ));
    }
    if columns.is_empty() || (columns.len() > 1 && *transform != Transform::Flags) {
        return Err(format!("field '{name}' needs one column; only flags have several"));
    }
    Ok(())
}

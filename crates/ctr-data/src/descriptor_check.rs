//! Whether a descriptor's files and fields can be what it says.

use crate::source_file::{ColumnType, SourceFile};
use crate::source_layout::{BehaviorFile, FieldRule, Owner, Source};
use crate::transform::Transform;
use crate::value_lists::LONGEST_LIST;

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
    check_columns(source)?;
    let mut names: Vec<&str> = source.fields.iter().map(|field| field.name.as_str()).collect();
    names.push("item");
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(format!("two fields are called '{}' (item is one of ctrbench's own)", pair[0]));
    }
    for file in [
        Some(&source.log.file),
        source.users.as_ref().map(|users| &users.file),
        source.items.as_ref().map(|items| &items.file),
    ] {
        if let Some(file) = file.filter(|file| file.optional) {
            return Err(format!(
                "{} is optional, but needed; only files of what users did beside the log may be absent",
                file.path
            ));
        }
    }
    if let Some(behaviors) = &source.behaviors {
        check_behaviors(source, behaviors)?;
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

/// Every column that is named is one that its file is read for.
fn check_columns(source: &Source) -> Result<(), String> {
    let log = &source.log;
    let mut named: Vec<(String, &String, &SourceFile)> =
        vec![("label.column".into(), &source.label.column, &log.file), ("log.item".into(), &log.item, &log.file)];
    for (key, column) in [("log.user", &log.user), ("log.time", &log.time), ("log.history", &log.history)] {
        named.extend(column.iter().map(|column| (key.into(), column, &log.file)));
    }
    named.extend(source.users.iter().map(|users| ("users.key".into(), &users.key, &users.file)));
    named.extend(source.items.iter().map(|items| ("items.key".into(), &items.key, &items.file)));
    if let Some(earlier) = &source.earlier {
        let columns = [&earlier.user, &earlier.last_time, &earlier.items];
        named.extend(columns.map(|column| ("earlier".into(), column, &earlier.file)));
    }
    if let Some(behaviors) = &source.behaviors {
        named.push(("behaviors.user".into(), &behaviors.user, &behaviors.file));
    }
    for field in &source.fields {
        let file = match field.of {
            Owner::Row => Some(&log.file),
            Owner::User => source.users.as_ref().map(|users| &users.file),
            Owner::Item => source.items.as_ref().map(|items| &items.file),
            Owner::Behavior => None,
        };
        let of_field = |file| field.columns.iter().map(move |column| (format!("field '{}'", field.name), column, file));
        named.extend(file.into_iter().flat_map(of_field));
    }
    let is_unread =
        |(_, column, file): &&(String, &String, &SourceFile)| !file.columns.iter().any(|c| c.name == **column);
    match named.iter().find(is_unread) {
        Some((key, column, file)) => Err(format!(
            "{key} names the column '{column}', which is not read: add it to the columns of {}, or correct it",
            file.path
        )),
        None => Ok(()),
    }
}

fn check_behaviors(source: &Source, behaviors: &BehaviorFile) -> Result<(), String> {
    let (file, unit) = (&behaviors.file, &source.log.time_unit);
    if source.log.user.is_none() || source.log.time.is_none() {
        return Err(format!("{} is of behaviors, which need a log with users and times", file.path));
    }
    if behaviors.time_unit != *unit {
        return Err(format!(
            "times of {} are in {}, those of the log in {unit}; they are compared, so write both in one unit",
            file.path, behaviors.time_unit
        ));
    }
    let type_of = |name: &String| file.columns.iter().find(|column| column.name == *name).map(|column| column.kind);
    if type_of(&behaviors.time) != Some(ColumnType::Int) {
        return Err(format!("{} needs the column '{}' of type int", file.path, behaviors.time));
    }
    let fields: Vec<_> = source.fields.iter().filter(|field| field.of == Owner::Behavior).collect();
    if fields.is_empty() {
        return Err(format!("{} is read for no field; add one with of = \"behavior\"", file.path));
    }
    match fields.iter().flat_map(|field| &field.columns).find(|column| type_of(column) != Some(ColumnType::Text)) {
        Some(column) => Err(format!("{} needs the column '{column}' of type text", file.path)),
        None => Ok(()),
    }
}

fn check_field(source: &Source, field: &FieldRule) -> Result<(), String> {
    let FieldRule { name, columns, transform, bounds, .. } = field;
    if (*transform == Transform::Bucket) == bounds.is_empty() || !bounds.is_sorted_by(|a, b| a < b) {
        return Err(format!(
            "field '{name}' has transform {transform:?} and bounds {bounds:?}; a bucket needs ascending bounds, and only it has any"
        ));
    }
    if field.separator.is_some() && *transform != Transform::List {
        return Err(format!("field '{name}' has transform {transform:?}; only a list has a separator"));
    }
    if field.max_values.is_some() && !transform.is_list() {
        return Err(format!("field '{name}' has transform {transform:?}; only lists have max_values"));
    }
    if let Some(most) = field.max_values.filter(|most| most.get() > LONGEST_LIST) {
        return Err(format!(
            "max_values of field '{name}' is {most}; use at most {LONGEST_LIST}: samples are padded to it"
        ));
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

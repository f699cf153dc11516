//! Lines that each hold one JSON object, or one Python dictionary as in the Amazon metadata of 2014.

use std::borrow::Cow;
use std::fmt;

use py_literal::Value as Python;
use serde::Deserializer;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::Value as Json;

use crate::lines::Fault;
use crate::source_file::ColumnRule;

/// Behind each entry of a list, which becomes one text; nested lists are joined end to end.
pub(crate) const LIST_SEPARATOR: char = '\u{1f}';

/// The values of the keys that are asked for; empty where a key is absent or null.
pub(crate) fn json<'l>(line: &'l str, columns: &[ColumnRule]) -> Result<Vec<Cow<'l, str>>, Fault> {
    let mut deserializer = serde_json::Deserializer::from_str(line);
    let cells = deserializer.deserialize_map(Wanted(columns)).and_then(|cells| deserializer.end().map(|()| cells));
    cells.map_err(|error| Fault::of_line(line, format!("is not a JSON object ({error})")))
}

/// Reads only the values of wanted keys.
struct Wanted<'c>(&'c [ColumnRule]);

impl<'de> Visitor<'de> for Wanted<'_> {
    type Value = Vec<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut cells = vec![Cow::Borrowed(""); self.0.len()];
        while let Some(key) = map.next_key::<Cow<str>>()? {
            match self.0.iter().position(|column| column.name == key) {
                Some(at) => cells[at] = Cow::Owned(json_text(&map.next_value::<Json>()?)),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(cells)
    }
}

fn json_text(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        Json::Bool(value) => u8::from(*value).to_string(),
        Json::Array(entries) => join(entries.iter().map(json_text)),
        Json::Number(_) | Json::Object(_) => value.to_string(),
    }
}

/// The same of a Python dictionary.
pub(crate) fn python<'l>(line: &'l str, columns: &[ColumnRule]) -> Result<Vec<Cow<'l, str>>, Fault> {
    let entries = match line.trim().parse::<Python>() {
        Ok(Python::Dict(entries)) => entries,
        Ok(_) => return Err(Fault::of_line(line, "is not a Python dictionary")),
        // Its message repeats the line.
        Err(_) => return Err(Fault::of_line(line, "is not a Python dictionary")),
    };
    let cell = |column: &ColumnRule| {
        let found = entries.iter().find(|(key, _)| key.as_string().is_some_and(|key| *key == column.name));
        Cow::Owned(found.map_or_else(String::new, |(_, value)| python_text(value)))
    };
    Ok(columns.iter().map(cell).collect())
}

fn python_text(value: &Python) -> String {
    match value {
        Python::None => String::new(),
        Python::String(text) => text.clone(),
        Python::Boolean(value) => u8::from(*value).to_string(),
        Python::List(entries) | Python::Tuple(entries) | Python::Set(entries) => join(entries.iter().map(python_text)),
        Python::Integer(value) => value.to_string(),
        Python::Float(value) => value.to_string(),
        other => other.to_string(),
    }
}

fn join(texts: impl Iterator<Item = String>) -> String {
    // The last entry of a list within is an entry of the whole.
    let ended = |text: String| if text.ends_with(LIST_SEPARATOR) { text } else { format!("{text}{LIST_SEPARATOR}") };
    texts.map(ended).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source_file::ColumnType;

    fn columns(names: &[&str]) -> Vec<ColumnRule> {
        names.iter().map(|name| ColumnRule { name: (*name).to_owned(), kind: ColumnType::Text }).collect()
    }

    /// The first review of the 2014 Electronics file, shortened.
    #[test]
    fn a_review_gives_the_keys_asked_for() {
        let line = r#"{"reviewerID": "AO94DHGC771SJ", "asin": "0528881469", "helpful": [0, 0], "reviewText": "We got this \"GPS\"", "overall": 5.0, "unixReviewTime": 1370131200}"#;
        let wanted = columns(&["asin", "overall", "unixReviewTime", "reviewText", "helpful", "style"]);
        let cells = json(line, &wanted).unwrap();
        assert_eq!(cells, ["0528881469", "5.0", "1370131200", "We got this \"GPS\"", "0\u{1f}0\u{1f}", ""]);
        for broken in ["", "[1]", "{\"asin\": \"x\"", "{} {}"] {
            assert!(json(broken, &wanted).unwrap_err().message.contains("not a JSON object"), "{broken}");
        }
    }

    #[test]
    fn python_dictionaries_give_the_same() {
        let line = r#"{'asin': '0132793040', 'title': "Kelby's \"Training\"", 'price': 12.5, 'related': {'also_viewed': ['B00', 'B01']}, 'categories': [['Electronics', 'Computers & Accessories']], 'brand': None}"#;
        let cells = python(line, &columns(&["asin", "title", "categories", "brand", "price"])).unwrap();
        assert_eq!(
            cells,
            ["0132793040", "Kelby's \"Training\"", "Electronics\u{1f}Computers & Accessories\u{1f}", "", "12.5"]
        );
        assert!(python("['x']", &columns(&["asin"])).is_err());
        assert!(python("{'asin': ", &columns(&["asin"])).is_err());
    }
}

//! Keys of users and items.

use std::collections::{HashMap, HashSet};

use crate::values::Values;

/// Distinct keys in ascending order: numbers by value, text by byte.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Keys {
    Int(Vec<i64>),
    Text(Vec<String>),
}

/// In place of the index of a key that is not among the keys.
pub(crate) const ABSENT: u32 = u32::MAX;

impl Keys {
    /// The keys of all `columns`, which have one type. Numbers that are not whole are no keys.
    pub fn distinct(columns: &[&Values]) -> Option<Keys> {
        let (mut ints, mut texts): (HashSet<i64>, HashSet<&str>) = (HashSet::new(), HashSet::new());
        for column in columns {
            match column {
                Values::Int(values) => ints.extend(values),
                Values::Text(values) => texts.extend(values.codes.iter().map(|&code| &*values.distinct[code as usize])),
                Values::Number(_) => return None,
            }
        }
        if texts.is_empty() {
            let mut keys: Vec<i64> = ints.into_iter().collect();
            keys.sort_unstable();
            Some(Keys::Int(keys))
        } else if ints.is_empty() {
            let mut keys: Vec<String> = texts.into_iter().map(str::to_owned).collect();
            keys.sort_unstable();
            Some(Keys::Text(keys))
        } else {
            None
        }
    }

    /// Whether the values of a column could be keys like these.
    pub fn are_of_type(&self, values: &Values) -> bool {
        matches!((self, values), (Keys::Int(_), Values::Int(_)) | (Keys::Text(_), Values::Text(_)))
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        match self {
            Keys::Int(keys) => keys.len(),
            Keys::Text(keys) => keys.len(),
        }
    }

    /// The keys as text.
    pub fn names(&self) -> Vec<String> {
        match self {
            Keys::Int(keys) => keys.iter().map(i64::to_string).collect(),
            Keys::Text(keys) => keys.clone(),
        }
    }

    /// Index of each value's key, [`ABSENT`] where it is none of the keys.
    pub fn indices(&self, values: &Values) -> Vec<u32> {
        match (self, values) {
            (Keys::Int(keys), Values::Int(values)) => {
                let index: HashMap<i64, u32> = keys.iter().copied().zip(0..).collect();
                values.iter().map(|value| index.get(value).copied().unwrap_or(ABSENT)).collect()
            }
            (Keys::Text(keys), Values::Text(values)) => {
                let find = |text: &String| keys.binary_search(text).map_or(ABSENT, |index| index as u32);
                let of_code: Vec<u32> = values.distinct.iter().map(find).collect();
                values.codes.iter().map(|&code| of_code[code as usize]).collect()
            }
            _ => vec![ABSENT; values.len()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::TextColumn;

    #[test]
    fn numbers_are_ordered_by_value_and_text_by_byte() {
        let ints = Values::Int(vec![10, 9, 10, -1]);
        let keys = Keys::distinct(&[&ints, &Values::Int(vec![7])]).unwrap();
        assert_eq!(keys.names(), ["-1", "7", "9", "10"]);
        assert_eq!(keys.indices(&ints), [3, 2, 3, 0]);
        let mut text = TextColumn::default();
        ["b", "a", "10", "9", "a"].iter().for_each(|key| text.push(key));
        let text = Values::Text(text);
        let keys = Keys::distinct(&[&text]).unwrap();
        assert_eq!(keys.names(), ["10", "9", "a", "b"]);
        assert_eq!(keys.indices(&text), [3, 2, 0, 1, 2]);
        assert_eq!(keys.indices(&ints), [ABSENT; 4], "a number is no text");
        assert_eq!(Keys::distinct(&[&ints, &text]), None);
    }
}

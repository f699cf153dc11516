//! `--set key=value`: changes to a configuration before it is read.

use anyhow::{Context, Result, bail};
use toml::{Table, Value};

/// Sets the dotted `key` of `key=value`. The value is read as TOML, and as a plain string where it is not TOML.
pub fn apply(table: &mut Table, assignment: &str) -> Result<()> {
    let (key, text) = assignment
        .split_once('=')
        .with_context(|| format!("--set {assignment}: there is no `=`; write --set training.epochs=3"))?;
    let value = match format!("value = {text}").parse::<Table>() {
        Ok(mut parsed) => parsed.remove("value").unwrap_or_else(|| Value::String(text.into())),
        Err(_) => Value::String(text.into()),
    };
    set(table, key.trim(), value).with_context(|| format!("--set {assignment}"))
}

/// Sets a dotted key, making the tables on the way.
pub fn set(table: &mut Table, key: &str, value: Value) -> Result<()> {
    let mut parts: Vec<&str> = key.split('.').collect();
    let last = parts.pop().unwrap_or_default();
    let mut table = table;
    for part in parts {
        let entry = table.entry(part).or_insert_with(|| Value::Table(Table::new()));
        table = match entry {
            Value::Table(inner) => inner,
            other => bail!("`{part}` is {}, so it has no key below it", other.type_str()),
        };
    }
    table.insert(last.into(), value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_toml_or_plain_strings() {
        let mut table: Table = "seeds = [1]\n[training]\nepochs = 5".parse().expect("valid TOML");
        for assignment in ["training.epochs=3", "seeds=[1, 2]", "dataset.name=movielens-1m", "a.b.c=true"] {
            apply(&mut table, assignment).expect("a valid assignment");
        }
        let expected: Table =
            "seeds = [1, 2]\ntraining.epochs = 3\ndataset.name = 'movielens-1m'\na.b.c = true".parse().expect("valid");
        assert_eq!(table, expected);
    }

    #[test]
    fn a_key_below_a_value_is_an_error() {
        let mut table: Table = "seeds = [1]".parse().expect("valid TOML");
        let message = format!("{:#}", apply(&mut table, "seeds.first=1").unwrap_err());
        assert!(message.contains("`seeds` is array"), "{message}");
        assert!(apply(&mut table, "seeds").unwrap_err().to_string().contains("no `=`"));
    }
}

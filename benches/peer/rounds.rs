//! The dialogue with the other half.

use anyhow::Result;
use serde_json::{Value, json};
use std::io::{BufRead, Write};

/// Says what was prepared, then answers every line of standard input with one round of `work`, which returns its seconds
/// (or other measurements).
pub fn serve(ready: Value, mut work: impl FnMut() -> Result<Value>) -> Result<()> {
    say(&json!({ "ready": ready }))?;
    for line in std::io::stdin().lock().lines() {
        line?;
        say(&work()?)?;
    }
    Ok(())
}

fn say(value: &Value) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{value}")?;
    Ok(stdout.flush()?)
}

//! `ctrbench corrections`.

use super::{print, print_json};
use crate::cli::OutputArgs;
use anyhow::Result;
use ctr_personalize::{CORRECTIONS, REFERENCE_METHODS};
use serde_json::json;

/// Lists every correction and reference method with formula and source.
pub fn corrections(output: OutputArgs) -> Result<()> {
    let rows = || {
        let corrections = CORRECTIONS.iter().map(|c| ("correction", c.name, c.formula, c.source));
        corrections.chain(REFERENCE_METHODS.iter().map(|(name, what, source)| ("method", *name, *what, *source)))
    };
    if output.json {
        let list: Vec<_> = rows()
            .map(|(kind, name, formula, source)| json!({"kind": kind, "name": name, "formula": formula, "source": source}))
            .collect();
        return print_json(&list);
    }
    let mut text = String::from(
        "y: observed label, pi: global CTR, pi_u: the user's local CTR. Join names with + to combine a correction with a\n\
         method, as in prior-alignment+l2-sp.\n\n",
    );
    for (kind, name, formula, source) in rows() {
        text += &format!("{name} ({kind})\n    {formula}\n    {source}\n");
    }
    print(&text)
}

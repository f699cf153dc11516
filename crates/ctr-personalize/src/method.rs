//! A row of the result table: a correction, and what of the model it moves.

use crate::{
    FineTuningConfig, Scope,
    corrections::{CORRECTIONS, Correction},
};
use thiserror::Error;

/// Name of the row without fine-tuning.
pub const CLOUD: &str = "cloud";

/// The rows beside the corrections: name, what it does, source.
pub const REFERENCE_METHODS: &[(&str, &str, &str)] = &[
    (CLOUD, "no fine-tuning", "the baseline"),
    ("bias-only", "target = y; only the output bias moves", "sanity row: gauc must equal the cloud's"),
    ("head-only", "target = y; only the output layer moves", "what practitioners do against overfitting"),
    ("embedding-only", "target = y; only the embedding rows move", "what practitioners do against overfitting"),
    ("l2-sp", "target = y; loss + mu / 2 * ||w - w_cloud||^2", "Li et al. 2018, arXiv 1802.01483"),
];

/// How a user's copy is fine-tuned: a correction, a scope, and whether L2-SP holds it near the cloud.
#[derive(Debug, Clone)]
pub struct Method {
    /// As written in the configuration.
    pub name: String,
    /// What becomes of the labels.
    pub correction: Correction,
    /// Which parameters move; the configured scope if absent.
    pub scope: Option<Scope>,
    /// Whether the proximal term is added.
    pub l2_sp: bool,
}

/// A method name that cannot be read.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum MethodError {
    /// A part of the name is not known.
    #[error("`{part}` in method `{method}` is not known; use {known}, joined by + (as in prior-alignment+l2-sp)")]
    Unknown {
        /// The whole name.
        method: String,
        /// The unknown part.
        part: String,
        /// What there is.
        known: String,
    },
    /// Two corrections, two scopes or `l2-sp` twice.
    #[error("method `{method}` names two {what}s; keep one")]
    Twice {
        /// The whole name.
        method: String,
        /// `correction`, `scope` or `l2-sp`.
        what: &'static str,
    },
}

impl Method {
    /// Reads a name such as `prior-alignment`, `head-only` or `logit-adjustment+l2-sp`. `cloud` is no method of
    /// fine-tuning and is refused here.
    ///
    /// # Errors
    /// If a part is unknown or stands twice.
    pub fn parse(name: &str) -> Result<Self, MethodError> {
        let (mut correction, mut scope, mut l2_sp) = (None, None, false);
        for part in name.split('+') {
            let twice = |what| MethodError::Twice { method: name.to_owned(), what };
            let new_scope = match part {
                "head-only" => Some(Scope::Head),
                "embedding-only" => Some(Scope::Embedding),
                "bias-only" => Some(Scope::Bias),
                _ => None,
            };
            if new_scope.is_some() {
                if scope.is_some() {
                    return Err(twice("scope"));
                }
                scope = new_scope;
            } else if part == "l2-sp" {
                if l2_sp {
                    return Err(twice("l2-sp"));
                }
                l2_sp = true;
            } else if let Some(found) = CORRECTIONS.iter().find(|correction| correction.name == part) {
                if correction.is_some() {
                    return Err(twice("correction"));
                }
                correction = Some(*found);
            } else {
                return Err(MethodError::Unknown { method: name.into(), part: part.into(), known: known() });
            }
        }
        Ok(Self { name: name.into(), correction: correction.unwrap_or(CORRECTIONS[0]), scope, l2_sp })
    }

    /// Whether the other is made of the same parts and differs in its name only, as `none+head-only` from `head-only`.
    pub fn has_parts_of(&self, other: &Self) -> bool {
        let parts = |method: &Self| (method.correction.name, method.scope, method.l2_sp);
        parts(self) == parts(other)
    }

    /// Which parameters move under this configuration.
    pub fn scope(&self, config: &FineTuningConfig) -> Scope {
        self.scope.unwrap_or(config.scope)
    }
}

fn known() -> String {
    let corrections = CORRECTIONS.iter().map(|correction| correction.name);
    let references = REFERENCE_METHODS.iter().map(|(name, ..)| *name).filter(|name| *name != CLOUD);
    corrections.chain(references).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_corrections_scopes_and_their_combinations() {
        let parse = |name| Method::parse(name).map(|m| (m.correction.name, m.scope, m.l2_sp));
        assert_eq!(parse("prior-alignment"), Ok(("prior-alignment", None, false)));
        assert_eq!(parse("head-only"), Ok(("none", Some(Scope::Head), false)));
        assert_eq!(parse("shift+embedding-only+l2-sp"), Ok(("shift", Some(Scope::Embedding), true)));
        let same = |a, b| Method::parse(a).and_then(|a| Method::parse(b).map(|b| a.has_parts_of(&b)));
        assert_eq!(same("shift+l2-sp", "l2-sp+shift"), Ok(true));
        assert_eq!(same("none+head-only", "head-only"), Ok(true));
        assert_eq!(same("none", "head-only"), Ok(false));
        assert!(parse("prior-alignment+shift").unwrap_err().to_string().contains("two corrections"));
        assert!(parse("priors").unwrap_err().to_string().contains("`priors` in method `priors` is not known"));
    }
}

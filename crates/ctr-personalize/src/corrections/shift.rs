//! The additive twin of prior alignment.

use super::{Corrected, Correction};

pub(super) const SHIFT: Correction = Correction {
    name: "shift",
    formula: "target = y + pi - pi_u, left unclipped: it may lie outside [0, 1]",
    source: "ours: the additive twin of prior-alignment",
    apply: |local, _| {
        let drift = local.local_ctr() - local.global_ctr;
        Corrected::targets(local.labels.iter().map(|y| f64::from(*y) - drift))
    },
};

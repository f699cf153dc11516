//! Labels lowered or raised so that their mean is the global CTR.

use super::{Corrected, Correction};
use crate::LocalSet;

pub(super) const PRIOR_ALIGNMENT: Correction = Correction {
    name: "prior-alignment",
    formula: "if pi_u > pi: 1 -> pi / pi_u, 0 -> 0; else: 1 -> 1, 0 -> (pi - pi_u) / (1 - pi_u)",
    source: "our reading of label correction in arXiv 2211.01163, whose formula is not known to us: labels only, in [0, 1], mean exactly pi",
    apply: |local, _| align(local, local.global_ctr),
};

/// Soft targets in `[0, 1]` whose mean is `prior`: one class is moved, the other stays.
///
/// Neither branch divides by zero for a prior inside `(0, 1)`: the first has `pi_u > prior > 0`, the second
/// `pi_u <= prior < 1`.
pub(super) fn align(local: &LocalSet, prior: f64) -> Corrected {
    let local_ctr = local.local_ctr();
    let (positive, negative) =
        if local_ctr > prior { (prior / local_ctr, 0.0) } else { (1.0, (prior - local_ctr) / (1.0 - local_ctr)) };
    Corrected::targets(local.labels.iter().map(|y| if *y == 1 { positive } else { negative }))
}

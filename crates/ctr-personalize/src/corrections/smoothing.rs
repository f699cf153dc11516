//! Label smoothing toward the global CTR.

use super::{Corrected, Correction};

pub(super) const SMOOTHING: Correction = Correction {
    name: "smoothing",
    formula: "target = (1 - e) y + e pi",
    source: "label smoothing (Szegedy et al. 2016, arXiv 1512.00567) with the global CTR as the prior; a control that does not know pi_u",
    apply: |local, settings| {
        let e = settings.smoothing;
        Corrected::targets(local.labels.iter().map(|y| (1.0 - e) * f64::from(*y) + e * local.global_ctr))
    },
};

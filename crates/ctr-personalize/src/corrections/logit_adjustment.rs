//! The drift taken out of the logit in training.

use super::{Corrected, Correction};

pub(super) const LOGIT_ADJUSTMENT: Correction = Correction {
    name: "logit-adjustment",
    formula: "target = y; logit + logit(pi_u) - logit(pi) in training, unchanged when ranking",
    source: "Menon et al. 2020, arXiv 2007.07314, exact under label shift; pi_u of 0 or 1 is replaced by (k + m pi) / (n + m)",
    apply: |local, settings| {
        let used_shrunk_ctr = local.has_one_class();
        let local_ctr =
            if used_shrunk_ctr { local.shrunk_local_ctr(settings.pseudo_samples) } else { local.local_ctr() };
        Corrected {
            training_offset: logit(local_ctr) - logit(local.global_ctr),
            used_shrunk_ctr,
            ..Corrected::targets(local.labels.iter().map(|y| f64::from(*y)))
        }
    },
};

fn logit(p: f64) -> f64 {
    (p / (1.0 - p)).ln()
}

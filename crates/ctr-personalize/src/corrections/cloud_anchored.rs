//! Prior alignment toward what the cloud model expects of this user.

use super::{Correction, prior_alignment::align};

pub(super) const CLOUD_ANCHORED: Correction = Correction {
    name: "cloud-anchored",
    formula: "prior-alignment with mean(sigmoid(cloud logits on D_u)) in place of pi",
    source: "ours: keeps what the cloud already knows of the user",
    apply: |local, _| {
        let sum: f64 = local.cloud_logits.iter().map(|z| ctr_metrics::sigmoid(*z)).sum();
        align(local, sum / local.cloud_logits.len() as f64)
    },
};

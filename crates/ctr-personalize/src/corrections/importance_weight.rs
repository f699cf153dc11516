//! Samples weighted so that the classes weigh as in the global data.

use super::{Corrected, Correction};

pub(super) const IMPORTANCE_WEIGHT: Correction = Correction {
    name: "importance-weight",
    formula: "target = y; weight = pi / pi_u for 1, (1 - pi) / (1 - pi_u) for 0",
    source: "importance weighting, exact under label shift (Lipton et al. 2018, arXiv 1802.03916)",
    // A class that is absent (pi_u = 0 or 1) has no sample to divide by zero for.
    apply: |local, _| {
        let (local_ctr, pi) = (local.local_ctr(), local.global_ctr);
        let weight = |y: &u8| if *y == 1 { pi / local_ctr } else { (1.0 - pi) / (1.0 - local_ctr) };
        Corrected {
            weights: Some(local.labels.iter().map(weight).collect()),
            ..Corrected::targets(local.labels.iter().map(|y| f64::from(*y)))
        }
    },
};

//! AUC and GAUC of many predictions.

use crate::rounds::serve;
use anyhow::{Context, Result};
use candle_core::{Device, Tensor};
use ctr_metrics::{Scored, auc, gauc};
use ctr_nn::{save_tensors, seeded_rng};
use rand::Rng;
use serde_json::json;
use std::{collections::BTreeMap, path::Path, time::Instant};

const SAMPLES_PER_USER: usize = 100;

/// One round is the pooled AUC and the GAUC of `predictions` predictions, 100 a user.
pub fn run(predictions: usize, export: &Path) -> Result<()> {
    let mut rng = seeded_rng(1, "predictions", 0);
    let logits: Vec<f32> = (0..predictions).map(|_| rng.random_range(-4.0..4.0)).collect();
    let labels: Vec<u8> = logits.iter().map(|z| u8::from(rng.random_range(-6.0..6.0) < *z)).collect();
    let offsets: Vec<usize> = (0..=predictions).step_by(SAMPLES_PER_USER).collect();
    let tensors = BTreeMap::from([
        ("logits".to_owned(), Tensor::new(&*logits, &Device::Cpu)?),
        ("labels".to_owned(), Tensor::new(&*labels, &Device::Cpu)?),
    ]);
    save_tensors(&tensors, &export.join("predictions.safetensors"))?;
    drop(tensors);
    let both = || {
        let scored = Scored::new(&logits, &labels, &offsets)?;
        let pooled = auc(&logits, &labels).context("one class")?;
        Ok::<_, anyhow::Error>((pooled, gauc(&scored).context("one class")?))
    };
    let (pooled, within) = both()?;
    let ready =
        json!({ "predictions": predictions, "samples_per_user": SAMPLES_PER_USER, "auc": pooled, "gauc": within });
    serve(ready, || {
        let clock = Instant::now();
        std::hint::black_box(both()?);
        Ok(json!({ "seconds": clock.elapsed().as_secs_f64() }))
    })
}

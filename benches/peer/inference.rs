//! Latency of one request.

use crate::{arguments::Model, fine_tuning::Cloud, rounds::serve};
use anyhow::{Context, Result};
use candle_core::{Device, Tensor};
use ctr_nn::{PADDING_ROW, save_tensors};
use ctr_personalize::{FineTuner, FineTuningConfig, Method};
use serde_json::json;
use std::{path::Path, time::Instant};

/// Timed requests of one round.
const REQUESTS: usize = 500;
/// Requests before them, untimed: the round follows a pause, in which caches and cores have gone cold.
const WARM_UP_REQUESTS: usize = 50;

/// One round scores 500 requests of `candidates` candidates, one after the other, with one user's copy. A request's
/// candidates are test samples of many users, under the user's own history.
pub fn run(model: Model, candidates: usize, export: &Path) -> Result<()> {
    let device = Device::Cpu;
    let cloud = Cloud::new(model, 256, 2, &device, export)?;
    let config = FineTuningConfig::default();
    let tuner = FineTuner::new(&*cloud.structure, &cloud.parameters, &cloud.logits, &cloud.dataset, &config, &device);
    let task = cloud.tasks.users.first().context("no user to fine-tune")?;
    let user_model = tuner.user_model(task, &Method::parse("none")?, 1)?;
    let last = *task.judged.last().context("no judged sample")? as usize;
    let history = cloud.dataset.history(last).to_vec();
    let samples = cloud.tasks.judged_samples();
    let requests: Vec<Vec<u32>> = (0..REQUESTS)
        .map(|request| {
            let sample = |i: usize| samples[(request * 37 + i) % samples.len()] as usize;
            let mut ids = Vec::new();
            (0..candidates).for_each(|i| cloud.dataset.append_lookups(sample(i), PADDING_ROW, &mut ids));
            ids
        })
        .collect();
    let expected = requests.iter().map(|ids| user_model.score(ids, &history)).collect::<Result<Vec<_>, _>>()?;
    let lookups: usize = cloud.dataset.lookups_by_field().iter().sum();
    let mut tensors = user_model.parameters();
    tensors
        .insert("request.ids".into(), Tensor::from_vec(requests.concat(), (REQUESTS, candidates, lookups), &device)?);
    tensors.insert("request.history".into(), Tensor::new(history.clone(), &device)?);
    tensors.insert("request.logits".into(), Tensor::from_vec(expected.concat(), (REQUESTS, candidates), &device)?);
    save_tensors(&tensors, &export.join("requests.safetensors"))?;
    serve(json!({ "requests": REQUESTS, "candidates": candidates }), || {
        for ids in &requests[..WARM_UP_REQUESTS] {
            std::hint::black_box(user_model.score(ids, &history)?);
        }
        let mut seconds = Vec::with_capacity(REQUESTS);
        for ids in &requests {
            let clock = Instant::now();
            std::hint::black_box(user_model.score(ids, &history)?);
            seconds.push(clock.elapsed().as_secs_f64());
        }
        Ok(json!({ "request_seconds": seconds }))
    })
}

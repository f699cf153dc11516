//! Samples for measuring what a step costs: equal fields whose ids are drawn uniformly, which is the hardest case for a
//! cache, and labels that depend on them.

use ctr_data::{Dataset, Facts, Field, Samples, Split};
use ctr_nn::seeded_rng;
use rand::Rng;
use std::collections::BTreeMap;

/// Fields of a sample.
const FIELDS: u32 = 8;
/// Samples of a user.
const ROWS_PER_USER: usize = 128;
/// Past items that a user's samples draw their histories from.
const PAST_ITEMS: usize = 200;

/// `rows` training samples and `held_out` validation samples over `vocabulary` ids in 8 equal fields, each sample with a
/// history of `history_length` items.
pub fn uniform(vocabulary: u32, rows: usize, held_out: usize, history_length: usize) -> Dataset {
    let size = vocabulary / FIELDS;
    let fields =
        (0..FIELDS).map(|f| Field { name: format!("field {f}"), offset: f * size, vocabulary_size: size }).collect();
    let mut rng = seeded_rng(1, "uniform samples", 0);
    let weights: Vec<f32> = (0..size * FIELDS).map(|_| rng.random_range(-0.6..0.6)).collect();
    let total = rows + held_out;
    let mut samples = Samples::default();
    for i in 0..total {
        let ids: Vec<u32> = (0..FIELDS).map(|f| f * size + rng.random_range(1..size)).collect();
        let logit: f32 = ids.iter().map(|&id| weights[id as usize]).sum();
        samples.user.push((i / ROWS_PER_USER) as u32);
        samples.time.push(i as i64);
        samples.label.push(u8::from(rng.random::<f32>() < 1.0 / (1.0 + (-logit).exp())));
        samples.split.push(if i < rows { Split::Train } else { Split::Validation });
        samples.ids.extend(ids);
        if history_length > 0 && i % ROWS_PER_USER == 0 {
            samples.history_items.extend((0..PAST_ITEMS).map(|_| rng.random_range(1..size)));
        }
        let start = if history_length > 0 {
            samples.history_items.len() - PAST_ITEMS + rng.random_range(0..=PAST_ITEMS - history_length)
        } else {
            0
        };
        samples.history_range.push((start as u32, (start + history_length) as u32));
    }
    Dataset {
        name: "uniform".into(),
        fields,
        lists: BTreeMap::new(),
        item_field: 0,
        history_length,
        user_keys: (0..total.div_ceil(ROWS_PER_USER)).map(|user| user.to_string()).collect(),
        samples,
        facts: Facts::default(),
    }
}

//! What must hold of any dataset under any split.

use ctr_data::{DatasetConfig, Split, SplitRule, load};
use proptest::prelude::*;

fn rules() -> impl Strategy<Value = SplitRule> {
    prop_oneof![Just(SplitRule::UserTemporal), Just(SplitRule::GlobalTemporal), Just(SplitRule::UserRandom)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn parts_are_disjoint_histories_precede_and_vocabulary_is_learned(
        rule in rules(),
        seed in 0u64..1000,
        test_fraction in 0.1f64..0.4,
        min_count in 1u32..6,
        history_length in 0usize..6,
        rows_per_user in 6.0f64..40.0,
    ) {
        let cache = tempfile::tempdir().unwrap();
        let mut config = DatasetConfig::new("synthetic");
        config.cache_dir = cache.path().to_owned();
        config.split = Some(rule);
        config.split_seed = seed;
        config.test_fraction = test_fraction;
        config.validation_fraction = 0.2;
        config.min_count = min_count;
        config.history_length = history_length;
        config.synthetic.seed = seed;
        config.synthetic.users = 30;
        config.synthetic.items = 40;
        config.synthetic.rows_per_user = rows_per_user;
        let dataset = load(&config, &|_| {}).unwrap();
        let samples = &dataset.samples;

        // Every sample is in exactly one part.
        let mut seen = vec![0; dataset.len()];
        for split in Split::ALL {
            dataset.indices(split).iter().for_each(|&i| seen[i as usize] += 1);
        }
        prop_assert!(seen.iter().all(|&count| count == 1));
        let parts = [&dataset.facts.train, &dataset.facts.validation, &dataset.facts.test];
        prop_assert_eq!(parts.iter().map(|part| part.rows).sum::<u64>(), dataset.len() as u64);

        for user in 0..dataset.user_keys.len() as u32 {
            let rows = dataset.samples_of(user);
            prop_assert!(samples.time[rows.clone()].is_sorted());
            if rule != SplitRule::UserRandom {
                prop_assert!(samples.split[rows.clone()].is_sorted());
            }
            for row in rows.clone() {
                let visible = |r: &usize| {
                    let trained = rule != SplitRule::UserRandom || samples.split[*r] == Split::Train;
                    samples.time[*r] < samples.time[row] && samples.label[*r] == 1 && trained
                };
                let items: Vec<u32> =
                    rows.clone().filter(visible).map(|r| dataset.sample_ids(r)[dataset.item_field]).collect();
                prop_assert_eq!(dataset.history(row), &items[items.len().saturating_sub(history_length)..]);
            }
        }

        // Exactly the ids seen at least min_count times in training are in the vocabulary.
        let mut counts = vec![0u32; dataset.table_rows()];
        for i in dataset.indices(Split::Train) {
            dataset.sample_ids(i as usize).iter().for_each(|&id| counts[id as usize] += 1);
        }
        for field in &dataset.fields {
            let known = field.offset as usize + 1..(field.offset + field.vocabulary_size) as usize;
            prop_assert!(counts[known].iter().all(|&count| count >= min_count));
        }

        let positives: u64 = dataset
            .indices(Split::Train)
            .iter()
            .map(|&i| u64::from(samples.label[i as usize]))
            .sum();
        let expected = positives as f64 / dataset.facts.train.rows as f64;
        prop_assert!((dataset.global_ctr() - expected).abs() < 1e-12);
    }
}

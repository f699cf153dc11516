//! The planted model: its spread, its ceiling, and that it is drawn the same every time.

use ctr_data::{Dataset, DatasetConfig, Split, load};

fn draw(change: impl Fn(&mut DatasetConfig)) -> Dataset {
    let mut config = DatasetConfig::new("synthetic");
    let cache = tempfile::tempdir().unwrap();
    config.cache_dir = cache.path().to_owned();
    change(&mut config);
    load(&config, &|_| {}).unwrap()
}

/// AUC by counting every pair of one positive and one negative.
fn auc_by_pairs(scores: &[f64], labels: &[u8]) -> f64 {
    let of = |label: u8| scores.iter().zip(labels).filter(move |(_, l)| **l == label).map(|(score, _)| *score);
    let (mut wins, mut pairs) = (0.0, 0.0);
    for positive in of(1) {
        for negative in of(0) {
            pairs += 1.0;
            wins += if positive > negative { 1.0 } else { 0.5 * f64::from(u8::from(positive == negative)) };
        }
    }
    wins / pairs
}

/// Naive Bayes over `fields`: the sum of each value's log odds in training.
fn naive_bayes_test_auc(dataset: &Dataset, fields: &[usize]) -> f64 {
    let mut counts = vec![[1.0f64; 2]; dataset.table_rows()];
    for i in dataset.indices(Split::Train) {
        let i = i as usize;
        for &field in fields {
            counts[dataset.sample_ids(i)[field] as usize][usize::from(dataset.samples.label[i])] += 1.0;
        }
    }
    let test = dataset.indices(Split::Test);
    let score = |i: u32| {
        let ids = dataset.sample_ids(i as usize);
        fields.iter().map(|&field| counts[ids[field] as usize]).map(|[no, yes]| (yes / no).ln()).sum()
    };
    let scores: Vec<f64> = test.iter().map(|&i| score(i)).collect();
    let labels: Vec<u8> = test.iter().map(|&i| dataset.samples.label[i as usize]).collect();
    auc_by_pairs(&scores, &labels)
}

#[test]
fn the_defaults_have_the_spread_and_the_ceiling_of_real_data() {
    let dataset = draw(|_| {});
    let facts = &dataset.facts;
    println!("{facts}");
    assert_eq!(facts.users, 1200);
    assert!((90_000..130_000).contains(&facts.rows), "{}", facts.rows);
    // Issue: local-CTR standard deviation near real data's, 0.17-0.21.
    assert!((0.17..=0.21).contains(&facts.local_ctr.sd), "{}", facts.local_ctr.sd);
    let bayes = facts.bayes_auc.unwrap();
    assert!((0.75..=0.90).contains(&bayes), "{bayes}");

    // The reported ceiling is the AUC of the true probabilities on the test part.
    let test = dataset.indices(Split::Test);
    let truth = dataset.samples.true_probability.as_ref().unwrap();
    let scores: Vec<f64> = test.iter().map(|&i| f64::from(truth[i as usize])).collect();
    let labels: Vec<u8> = test.iter().map(|&i| dataset.samples.label[i as usize]).collect();
    assert!((auc_by_pairs(&scores, &labels) - bayes).abs() < 1e-9);

    // Side features alone say something, the item more, and both stay well below the ceiling.
    let side: Vec<usize> = (0..dataset.fields.len()).filter(|field| *field != dataset.item_field).collect();
    let side_auc = naive_bayes_test_auc(&dataset, &side);
    let item_auc = naive_bayes_test_auc(&dataset, &[dataset.item_field]);
    println!("side features {side_auc:.4}, item {item_auc:.4}, Bayes {bayes:.4}");
    assert!(side_auc > 0.55 && item_auc > 0.6, "side {side_auc}, item {item_auc}");
    assert!(bayes - side_auc.max(item_auc) > 0.08, "side {side_auc}, item {item_auc}, Bayes {bayes}");
}

#[test]
fn the_spread_does_not_hang_on_the_seed() {
    for seed in 2..6 {
        let facts = draw(|config| config.synthetic.seed = seed).facts;
        assert!((0.17..=0.21).contains(&facts.local_ctr.sd), "seed {seed}: {}", facts.local_ctr.sd);
        assert!((0.75..=0.90).contains(&facts.bayes_auc.unwrap()), "seed {seed}: {:?}", facts.bayes_auc);
    }
}

#[test]
fn probabilities_are_calibrated_in_every_decile() {
    let dataset = draw(|_| {});
    let truth = dataset.samples.true_probability.as_ref().unwrap();
    let mut bins = [(0.0f64, 0.0f64, 0.0f64, 0.0f64); 10];
    for (&probability, &label) in truth.iter().zip(&dataset.samples.label) {
        let p = f64::from(probability);
        let bin = &mut bins[((p * 10.0) as usize).min(9)];
        *bin = (bin.0 + 1.0, bin.1 + p, bin.2 + f64::from(label), bin.3 + p * (1.0 - p));
    }
    for (rows, expected, seen, variance) in bins {
        assert!(rows > 100.0);
        // Four standard deviations of a sum of independent Bernoulli draws.
        assert!((seen - expected).abs() < 4.0 * variance.sqrt(), "{rows}: {seen} instead of {expected}");
    }
}

#[test]
fn drift_moves_users_between_training_and_test() {
    /// Standard deviation over users of logit(training CTR) - logit(test CTR), of true probabilities.
    fn spread(dataset: &Dataset) -> f64 {
        let truth = dataset.samples.true_probability.as_ref().unwrap();
        let mut differences = Vec::new();
        for user in 0..dataset.user_keys.len() as u32 {
            let mean = |test: bool| {
                let rows = dataset.samples_of(user).filter(|&i| (dataset.samples.split[i] == Split::Test) == test);
                let (sum, count) = rows.fold((0.0, 0.0), |(s, c), i| (s + f64::from(truth[i]), c + 1.0));
                let rate: f64 = sum / count;
                (rate / (1.0 - rate)).ln()
            };
            differences.push(mean(false) - mean(true));
        }
        let mean = differences.iter().sum::<f64>() / differences.len() as f64;
        (differences.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / differences.len() as f64).sqrt()
    }
    let still = spread(&draw(|_| {}));
    let moved = spread(&draw(|config| config.synthetic.drift = 1.5));
    // Averaging over items flattens the logit, so 1.5 planted shows as somewhat less; sampling adds `still`.
    let planted = (moved * moved - still * still).sqrt();
    println!("still {still:.3}, moved {moved:.3}, planted {planted:.3}");
    assert!((0.9..=1.5).contains(&planted), "still {still}, moved {moved}");
}

#[test]
fn the_same_seed_draws_the_same_dataset() {
    let small = |seed| {
        move |config: &mut DatasetConfig| {
            config.synthetic.users = 50;
            config.synthetic.seed = seed;
        }
    };
    assert_eq!(draw(small(7)), draw(small(7)));
    assert_ne!(draw(small(7)).samples, draw(small(8)).samples);
}

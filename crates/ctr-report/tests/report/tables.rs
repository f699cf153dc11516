//! The tables of a made-up run.

use ctr_metrics::Metric;
use ctr_report::table::{Comparison, Csv, Json, Markdown, TableFormat, Text};

use crate::made_up;

fn comparison(seeds: &[u64]) -> Comparison {
    Comparison::by_protocol(&made_up::record(seeds, 2, 3)).remove(1)
}

fn render(format: &dyn TableFormat, seeds: &[u64]) -> String {
    format.render(&comparison(seeds)).expect("representable")
}

#[test]
fn text_of_several_seeds() {
    insta::assert_snapshot!(render(&Text, &[1, 2, 3]), @r#"
    planted-drift protocol on made-up, judged on the test part, on cpu
    3 seeds; value±standard deviation over seeds, change from the cloud
                                         gauc                     auc                 logloss  users/s
    lr
      cloud            0.7189±0.0004           0.7517±0.0004           0.5880±0.0004
      none             0.7194±0.0002 +0.0005   0.6250±0.0003 -0.1268▼  0.7020±0.0003 +0.1141▼     2414
      prior-alignment  0.7203±0.0003 +0.0011▲  0.7319±0.0004 -0.0201▼  0.6058±0.0004 +0.0180▼     2414
    fm
      cloud            0.7211±0.0003           0.7539±0.0003           0.5858±0.0003
      none             0.7213±0.0002 +0.0004   0.6267±0.0003 -0.1269▼  0.7003±0.0002 +0.1142▼     2114
      prior-alignment  0.7217±0.0001 +0.0010▲  0.7331±0.0001 -0.0205▼  0.6046±0.0001 +0.0184▼     2114
    ▲ better, ▼ worse than the cloud: every seed's 95 % interval of the change excludes zero
    "#);
}

#[test]
fn text_of_one_seed() {
    insta::assert_snapshot!(render(&Text, &[1]), @r#"
    planted-drift protocol on made-up, judged on the test part, on cpu
    one seed; value±half of its 95 % interval over users, change from the cloud
                                         gauc                     auc                 logloss  users/s
    lr
      cloud            0.7188±0.0052           0.7516±0.0061           0.5881±0.0048
      none             0.7193±0.0052 +0.0004   0.6248±0.0061 -0.1269▼  0.7023±0.0048 +0.1142▼     2414
      prior-alignment  0.7203±0.0052 +0.0012▲  0.7319±0.0061 -0.0200▼  0.6058±0.0048 +0.0180▼     2414
    fm
      cloud            0.7208±0.0052           0.7536±0.0061           0.5861±0.0048
      none             0.7211±0.0052 +0.0004   0.6264±0.0061 -0.1270▼  0.7006±0.0048 +0.1143▼     2114
      prior-alignment  0.7217±0.0052 +0.0010▲  0.7330±0.0061 -0.0205▼  0.6047±0.0048 +0.0185▼     2114
    ▲ better, ▼ worse than the cloud: every seed's 95 % interval of the change excludes zero
    "#);
}

#[test]
fn the_cloud_models_have_a_table_of_their_own() {
    let cloud = Comparison::of_cloud_models(&made_up::record(&[1, 2, 3], 2, 3));
    insta::assert_snapshot!(Text.render(&cloud).expect("representable"), @r#"
    cloud models on made-up, judged on the whole test part, on cpu
    3 seeds; value±standard deviation over seeds
             gauc            auc  logloss  ece  ndcg@10
    lr
      cloud        0.7625±0.0000
    fm
      cloud        0.7625±0.0000
    "#);
    let markdown = Markdown.render(&cloud).expect("representable");
    assert!(markdown.starts_with("## Cloud models on made-up, judged on the whole test part, on cpu\n"), "{markdown}");
    assert!(!markdown.contains('▲'), "nothing changed: {markdown}");
}

#[test]
fn headings_say_where_and_how_exactly_it_was_computed() {
    let mut record = made_up::record(&[1], 1, 1);
    record.config = serde_json::json!({ "device": "cuda:0", "matmul": "tf32" });
    record.system.gpu = Some("NVIDIA H200".into());
    let comparison = &Comparison::by_protocol(&record)[0];
    assert_eq!(
        comparison.heading(),
        "natural protocol on made-up, judged on the test part, on cuda:0 (NVIDIA H200) with tf32 products"
    );
    let json = Json.render(comparison).expect("representable");
    assert!(json.contains(r#""device": "cuda:0""#) && json.contains(r#""matmul": "tf32""#), "{json}");
}

#[test]
fn text_never_passes_100_columns() {
    let mut record = made_up::record(&[1, 2, 3], 5, 12);
    record.config = serde_json::json!({ "device": "cuda:0", "matmul": "tf32" });
    record.system.gpu = Some("NVIDIA RTX 6000 Ada Generation".into());
    record.dataset["dataset"] = "amazon-electronics".into();
    for comparison in Comparison::by_protocol(&record) {
        let text = Text.render(&comparison).expect("representable");
        let widest = text.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(100), "{widest:?}\n{text}");
        assert!(text.contains("users/s"), "{text}");
        assert!(text.contains("test part,\non cuda:0 (NVIDIA RTX 6000 Ada Generation) with tf32 products\n"), "{text}");
    }
}

#[test]
fn markdown_of_several_seeds() {
    insta::assert_snapshot!(render(&Markdown, &[1, 2, 3]), @r#"
    ## Planted-drift protocol on made-up, judged on the test part, on cpu

    | model | method | gauc | auc_user_mean | auc | logloss | ne | ece | calibration_ratio | ndcg@10 | users/s |
    |---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|
    | lr | cloud | 0.7189 ± 0.0004 | 0.7149 ± 0.0004 | 0.7517 ± 0.0004 | 0.5880 ± 0.0004 | 0.8600 ± 0.0000 | 0.0300 ± 0.0000 | 1.0800 ± 0.0000 | 0.7700 ± 0.0000 | – |
    | lr | none | 0.7194 ± 0.0002 | 0.7154 ± 0.0002 | 0.6250 ± 0.0003 | 0.7020 ± 0.0003 | 0.9741 ± 0.0001 | 0.0934 ± 0.0001 | 0.9532 ± 0.0002 | 0.7705 ± 0.0000 | 2414 |
    | lr | prior-alignment | 0.7203 ± 0.0003 | 0.7163 ± 0.0003 | 0.7319 ± 0.0004 | 0.6058 ± 0.0004 | 0.8780 ± 0.0002 | 0.0400 ± 0.0001 | 1.0599 ± 0.0002 | 0.7711 ± 0.0001 | 2414 |
    | fm | cloud | 0.7211 ± 0.0003 | 0.7171 ± 0.0003 | 0.7539 ± 0.0003 | 0.5858 ± 0.0003 | 0.8580 ± 0.0000 | 0.0300 ± 0.0000 | 1.0800 ± 0.0000 | 0.7720 ± 0.0000 | – |
    | fm | none | 0.7213 ± 0.0002 | 0.7173 ± 0.0002 | 0.6267 ± 0.0003 | 0.7003 ± 0.0002 | 0.9722 ± 0.0001 | 0.0934 ± 0.0001 | 0.9531 ± 0.0001 | 0.7724 ± 0.0000 | 2114 |
    | fm | prior-alignment | 0.7217 ± 0.0001 | 0.7177 ± 0.0001 | 0.7331 ± 0.0001 | 0.6046 ± 0.0001 | 0.8764 ± 0.0001 | 0.0402 ± 0.0000 | 1.0595 ± 0.0001 | 0.7730 ± 0.0000 | 2114 |

    ### Change from the cloud model without fine-tuning

    | model | method | gauc | auc_user_mean | auc | logloss | ne | ece | calibration_ratio | ndcg@10 |
    |---|---|--:|--:|--:|--:|--:|--:|--:|--:|
    | lr | none | +0.0005 [-0.0003, +0.0013] | +0.0005 [-0.0004, +0.0014] | -0.1268 [-0.1298, -0.1238] ▼ | +0.1141 [+0.1113, +0.1169] ▼ | +0.1141 [+0.1111, +0.1171] ▼ | +0.0634 [+0.0614, +0.0654] ▼ | -0.1268 [-0.1368, -0.1168] | +0.0005 [-0.0006, +0.0016] |
    | lr | prior-alignment | +0.0011 [+0.0003, +0.0019] ▲ | +0.0011 [+0.0002, +0.0020] ▲ | -0.0201 [-0.0231, -0.0171] ▼ | +0.0180 [+0.0152, +0.0208] ▼ | +0.0180 [+0.0150, +0.0210] ▼ | +0.0100 [+0.0080, +0.0120] ▼ | -0.0201 [-0.0301, -0.0101] ▲ | +0.0011 [+0.0000, +0.0022] |
    | fm | none | +0.0004 [-0.0004, +0.0012] | +0.0004 [-0.0005, +0.0013] | -0.1269 [-0.1299, -0.1239] ▼ | +0.1142 [+0.1114, +0.1170] ▼ | +0.1142 [+0.1112, +0.1172] ▼ | +0.0634 [+0.0614, +0.0654] ▼ | -0.1269 [-0.1369, -0.1169] | +0.0004 [-0.0007, +0.0015] |
    | fm | prior-alignment | +0.0010 [+0.0002, +0.0018] ▲ | +0.0010 [+0.0001, +0.0019] ▲ | -0.0205 [-0.0235, -0.0175] ▼ | +0.0184 [+0.0156, +0.0212] ▼ | +0.0184 [+0.0154, +0.0214] ▼ | +0.0102 [+0.0082, +0.0122] ▼ | -0.0205 [-0.0305, -0.0105] ▲ | +0.0010 [-0.0001, +0.0021] |

    - `±`: sample standard deviation over seeds (n - 1).
    - `[low, high]`: 95 % interval by bootstrap over users, paired for changes, mean over seeds.
    - ▲ better, ▼ worse: the interval of every seed excludes zero on that side. No mark: not shown, fewer than 20 users, or a `calibration_ratio` that went past 1.
    - 5432 users evaluated.
    - `gauc`: mean over users of the user's own AUC, weighted by the user's judged samples. Left out: users without both classes among their judged samples.
    - `auc_user_mean`: plain mean over users of the user's own AUC. Left out: users without both classes among their judged samples.
    - `auc`: chance that a random positive sample scores above a random negative one, all users pooled; a tie counts one half. Left out: none.
    - `logloss`: mean negative log likelihood of the labels, in nats, computed from logits. Left out: none.
    - `ne`: log loss divided by the entropy of the label rate of the same samples. Left out: none.
    - `ece`: sum over 15 equal-width bins of the predicted probability of (share of samples) x |click rate - mean prediction|. Left out: none.
    - `calibration_ratio`: mean predicted probability divided by the label rate. Left out: none.
    - `ndcg@10`: mean over users of NDCG over the first 10 ranks, binary gain, discount 1/log2(rank + 1); ties count their expected value. Left out: users without both classes among their judged samples.
    "#);
}

#[test]
fn markdown_of_one_seed_shows_the_interval() {
    let markdown = render(&Markdown, &[1]);
    insta::assert_snapshot!(markdown.lines().nth(4).expect("a row"), @"| lr | cloud | 0.7188 [0.7136, 0.7240] | 0.7148 [0.7093, 0.7203] | 0.7516 [0.7455, 0.7577] | 0.5881 [0.5833, 0.5929] | 0.8600 [0.8550, 0.8650] | 0.0300 [0.0260, 0.0340] | 1.0800 [1.0600, 1.1000] | 0.7700 [0.7640, 0.7760] | – |");
    assert!(!markdown.contains("standard deviation"), "{markdown}");
}

#[test]
fn a_known_ceiling_stands_under_every_table() {
    let mut record = made_up::record(&[1], 1, 2);
    let tables = |record: &ctr_report::RunRecord| {
        let comparison = Comparison::by_protocol(record).remove(0);
        [&Text as &dyn TableFormat, &Markdown].map(|format| format.render(&comparison).expect("representable"))
    };
    assert!(tables(&record).iter().all(|table| !table.contains("0.8234")));
    record.dataset["bayes_auc"] = 0.82341.into();
    let [text, markdown] = tables(&record);
    assert!(text.contains("ceiling of auc: 0.8234, that of the true probabilities on the whole test part"), "{text}");
    assert!(
        markdown.contains("- Bayes AUC, that of the true probabilities, on the whole test part: 0.8234."),
        "{markdown}"
    );
    record.judged_part = "validation".into();
    assert!(tables(&record).iter().all(|table| !table.contains("0.8234")), "it is of another part");
}

#[test]
fn csv_has_a_named_field_for_every_number_with_every_digit() {
    let csv = render(&Csv, &[1, 2, 3]);
    let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<&str>>());
    let header = lines.next().expect("a header");
    let rows: Vec<Vec<&str>> = lines.collect();
    insta::assert_snapshot!(header[..16].join(" "), @"protocol target_ctr model method seeds users_evaluated users_per_second gauc gauc_sd gauc_low gauc_high gauc_change gauc_change_sd gauc_change_low gauc_change_high gauc_change_mark");
    assert_eq!(header.len(), 7 + 8 * 9);
    assert!(rows.iter().all(|row| row.len() == header.len()), "{csv}");

    let field = |row: usize, name: &str| rows[row][header.iter().position(|field| *field == name).expect("a field")];
    let none = &comparison(&[1, 2, 3]).rows[1];
    let change = none.change[&Metric::Auc].summary;
    assert_eq!((field(1, "method"), field(1, "seeds")), ("none", "3"));
    assert_eq!(field(1, "auc").parse(), Ok(none.metrics[&Metric::Auc].value));
    assert_eq!(field(1, "auc_change_high").parse(), Ok(change.high));
    assert_eq!(field(1, "auc_change_mark"), "worse");
    assert_eq!((field(0, "auc_change"), field(0, "users_per_second")), ("", ""));
}

#[test]
fn the_users_of_each_planted_ctr_have_a_table_of_their_own() {
    let mut record = made_up::record(&[1, 2], 2, 3);
    for (point, auc) in record.curve.iter_mut().filter(|point| point.target_ctr == 0.3).zip([0.5, 0.625, 0.75, 0.25]) {
        point.metrics.get_mut("auc").expect("auc").value = auc;
    }
    let comparisons = Comparison::by_target_ctr(&record);
    let names: Vec<String> = comparisons.iter().map(Comparison::file_stem).collect();
    let targets = ["0.1", "0.2", "0.3", "0.8", "0.9", "0.95"];
    assert_eq!(names, targets.map(|target| format!("planted-drift-{target}")));

    let text = Text.render(&comparisons[2]).expect("representable");
    assert!(
        text.starts_with(
            "planted-drift protocol on made-up, users of target CTR 0.3, judged on the test part, on cpu\n"
        ),
        "{text}"
    );
    let csv = Csv.render(&comparisons[2]).expect("representable");
    assert!(csv.lines().nth(1).is_some_and(|line| line.starts_with("planted-drift,0.3,lr,cloud,2,905,,")), "{csv}");
    // Points come seed by seed, model by model, method by method: of lr 0.5, 0.625 and 0.75 in the first seed.
    let rows = &comparisons[2].rows;
    assert_eq!((rows.len(), rows[1].method.as_str(), rows[3].model.as_str()), (6, "none", "fm"));
    let of_first_seed = Comparison::by_target_ctr(&{
        record.curve.retain(|point| point.seed == 1);
        record
    });
    assert_eq!(of_first_seed[2].rows[1].metrics[&Metric::Auc].value, 0.625);
    assert_eq!(of_first_seed[2].rows[3].metrics[&Metric::Auc].value, 0.25);
}

#[test]
fn json_leads_back_to_the_comparison() {
    let comparison = comparison(&[1, 2]);
    let json = Json.render(&comparison).expect("representable");
    let value: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(value["rows"][1]["method"], "none");
    assert_eq!(value["rows"][1]["change"]["auc"]["mark"], "worse");
    let back: Comparison = serde_json::from_str(&json).expect("a comparison");
    assert_eq!(back.rows.len(), comparison.rows.len());
    assert_eq!(back.rows[1].seeds, [1, 2]);
}

/// ```python
/// import statistics
/// v = [0.5, 0.625, 0.5625]
/// statistics.mean(v), statistics.stdev(v)
/// ```
#[test]
fn seeds_are_averaged_and_their_spread_is_the_sample_one() {
    let mut record = made_up::record(&[1, 2, 3], 1, 1);
    record.cells.retain(|cell| cell.protocol == "natural");
    for (cell, value) in record.cells.iter_mut().zip([0.5, 0.625, 0.5625]) {
        cell.metrics.get_mut("auc").expect("auc").value = value;
    }
    let comparison = Comparison::by_protocol(&record).remove(0);
    let auc = comparison.rows[0].metrics[&Metric::Auc];
    assert_eq!(auc.value, 0.5625);
    assert_eq!(auc.standard_deviation, Some(0.0625));
}

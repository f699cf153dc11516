//! Every loader on small files in the official layout. The folders of real data hold other tests (`real_data.rs`).

use std::fs;
use std::io::Write;
use std::path::Path;

use ctr_data::{Dataset, DatasetConfig, NegativeDistribution, NegativeSampling, SplitRule, default_config, load};
use flate2::{Compression, write::GzEncoder};

/// Loads `name` from `files`, whose names end in `.gz` where they are compressed.
fn load_files(name: &str, files: &[(&str, String)], change: impl Fn(&mut DatasetConfig)) -> Dataset {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join(name);
    fs::create_dir(&place).unwrap();
    for (file, text) in files {
        write(&place.join(file), text.as_bytes());
    }
    let mut config = default_config(name).unwrap();
    config.data_dir = Some(folder.path().to_owned());
    config.cache_dir = folder.path().join("cache");
    change(&mut config);
    load(&config, &|_| {}).unwrap()
}

fn write(path: &Path, bytes: &[u8]) {
    if path.extension().is_some_and(|extension| extension == "gz") {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(bytes).unwrap();
        fs::write(path, gzip.finish().unwrap()).unwrap();
    } else {
        fs::write(path, bytes).unwrap();
    }
}

/// `(user, item, rating, time)` of 4 users with 10 ratings each of items 100 to 109, alternating 5 and 2.
fn ratings() -> Vec<(u32, u32, u32, u32)> {
    let rating = |(user, place): (u32, u32)| (user, 100 + (user + place) % 10, 2 + 3 * (place % 2), 1_000 + place);
    (1..5).flat_map(|user| (0..10).map(move |place| (user, place))).map(rating).collect()
}

fn counts(dataset: &Dataset) -> (u64, u64, u64, f64) {
    let facts = &dataset.facts;
    (facts.users, facts.items, facts.rows, facts.positive_rate)
}

fn vocabulary(dataset: &Dataset, field: &str) -> u32 {
    dataset.fields.iter().find(|other| other.name == field).unwrap_or_else(|| panic!("no {field}")).vocabulary_size
}

/// `movies.csv` with a byte-order mark, quoted titles and Windows line ends; the last movie is not rated.
#[test]
fn movielens_csv() {
    let mut log = "userId,movieId,rating,timestamp\r\n".to_owned();
    ratings().iter().for_each(|(u, i, r, t)| log += &format!("{u},{i},{r}.0,{t}\r\n"));
    let mut movies = "\u{feff}movieId,title,genres\r\n".to_owned();
    for movie in 100..111 {
        movies +=
            &format!("{movie},\"American \"\"President\"\", The ({})\",Comedy|Drama|Romance\r\n", 1990 + movie % 2);
    }
    for name in ["movielens-latest-small", "movielens-20m", "movielens-25m", "movielens-32m"] {
        let dataset = load_files(name, &[("ratings.csv", log.clone()), ("movies.csv", movies.clone())], |_| {});
        assert_eq!(counts(&dataset), (4, 10, 40, 0.5), "{name}");
        assert_eq!(dataset.facts.items_listed, Some(11));
        assert_eq!((vocabulary(&dataset, "genres"), vocabulary(&dataset, "release_year")), (4, 3));
        assert_eq!(dataset.facts.label_rule, "rating >= 4");
    }
}

#[test]
fn movielens_10m() {
    let (mut log, mut movies) = (String::new(), String::new());
    ratings().iter().for_each(|(u, i, r, t)| log += &format!("{u}::{i}::{r}::{t}\n"));
    (100..110).for_each(|movie| movies += &format!("{movie}::Misérables, Les (1995)::Drama|Musical\n"));
    let dataset = load_files("movielens-10m", &[("ratings.dat", log), ("movies.dat", movies)], |_| {});
    assert_eq!(counts(&dataset), (4, 10, 40, 0.5));
    assert_eq!(vocabulary(&dataset, "release_year"), 2);
}

/// Titles in ISO-8859-1, some of which hold the separator's colon.
#[test]
fn movielens_1m() {
    let log: String = ratings().iter().map(|(u, i, r, t)| format!("{u}::{i}::{r}::{t}\r\n")).collect();
    let users: String =
        (1..5).map(|u| format!("{u}::{}::{}::{u}::0{u}55-1\n", ["F", "M"][u % 2], 18 + u % 2 * 7)).collect();
    let movies: String =
        (100..110).map(|m| format!("{m}::Caf\u{e9}: La{} (1995)::Drama|War\n", "::x".repeat(m % 2))).collect();
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("movielens-1m");
    fs::create_dir(&place).unwrap();
    let latin_1 = |text: &str| text.chars().map(|c| c as u8).collect::<Vec<u8>>();
    for (name, text) in [("ratings.dat", log), ("users.dat", users), ("movies.dat", movies.replace("::x", ": x"))] {
        write(&place.join(name), &latin_1(&text));
    }
    let mut config = default_config("movielens-1m").unwrap();
    config.data_dir = Some(folder.path().to_owned());
    config.cache_dir = folder.path().join("cache");
    let dataset = load(&config, &|_| {}).unwrap();
    assert_eq!(counts(&dataset), (4, 10, 40, 0.5));
    let sizes = ["gender", "age", "occupation", "zip_region", "genres", "release_year"];
    assert_eq!(sizes.map(|name| vocabulary(&dataset, name)), [3, 3, 5, 2, 3, 2]);
}

fn reviews() -> String {
    let line = |(u, i, r, t): &(u32, u32, u32, u32)| {
        format!(
            "{{\"reviewerID\": \"A{u}ZX\", \"asin\": \"B000{i}\", \"reviewerName\": \"J. \\\"Q\\\" Doe\", \"helpful\": [0, {u}], \"reviewText\": \"Fine,\\nreally\", \"overall\": {r}.0, \"summary\": \"Ok\", \"unixReviewTime\": {t}, \"reviewTime\": \"01 20, 2014\"}}\n"
        )
    };
    ratings().iter().map(line).collect()
}

/// The metadata of 2014 are Python dictionaries; the last category of the last path counts.
#[test]
fn amazon_2014() {
    let meta: String = (100..110)
        .map(|item| {
            format!(
                "{{'asin': 'B000{item}', 'title': \"Kid's {item}\", 'salesRank': {{'Electronics': 12}}, 'related': {{'also_bought': ['B1', 'B2']}}, 'price': 9.99, 'categories': [['Electronics', 'Cables'], ['Electronics', 'Part {}']]}}\n",
                item % 3
            )
        })
        .collect();
    let files = [("reviews_Electronics_5.json.gz", reviews()), ("meta_Electronics.json.gz", meta.clone())];
    let dataset = load_files("amazon-2014", &files, |_| {});
    assert_eq!(counts(&dataset), (4, 10, 40, 0.5));
    assert_eq!(vocabulary(&dataset, "category"), 4);
    assert_eq!(dataset.user_keys, ["A1ZX", "A2ZX", "A3ZX", "A4ZX"]);
    assert!(dataset.facts.warnings[0].contains("1689188"), "the published count of Electronics");
    // The other label rule in use.
    let books = [("reviews_Books_5.json.gz", reviews()), ("meta_Books.json.gz", meta)];
    let dataset = load_files("amazon-2014", &books, |config| {
        config.category = Some("Books".to_owned());
        config.positive_rating = Some(5.0);
    });
    assert_eq!((dataset.facts.label_rule.as_str(), dataset.facts.positive_rate), ("overall >= 5", 0.5));
}

/// DIN's protocol: every review is a positive, one uniform negative each, the last of each user is test.
#[test]
fn amazon_with_sampled_negatives() {
    // Ten items of which a user has eight, so that there are others to draw.
    let mut text = String::new();
    for (user, item, rating, time) in ratings().into_iter().filter(|(_, _, _, time)| *time < 1_008) {
        text += &format!(
            "{{\"reviewerID\": \"A{user}\", \"asin\": \"B{item}\", \"overall\": {rating}.0, \"unixReviewTime\": {time}}}\n"
        );
    }
    let meta: String =
        (100..110).map(|item| format!("{{'asin': 'B{item}', 'categories': [['Electronics']]}}\n")).collect();
    let files = [("reviews_Electronics_5.json.gz", text), ("meta_Electronics.json.gz", meta)];
    let dataset = load_files("amazon-2014", &files, |config| {
        config.positive_rating = Some(1.0);
        config.split = Some(SplitRule::UserLast);
        config.negatives = Some(NegativeSampling { per_positive: 1, by: NegativeDistribution::Uniform, seed: 1 });
    });
    let facts = &dataset.facts;
    assert_eq!((facts.rows, facts.raw_rows, facts.positive_rate), (64, 32, 0.5));
    assert_eq!([&facts.train, &facts.validation, &facts.test].map(|part| part.rows), [48, 8, 8]);
    assert_eq!([&facts.validation, &facts.test].map(|part| part.positive_rate), [0.5, 0.5]);
    assert!(facts.sampling[0].starts_with("negatives: 1 per positive, drawn uniformly"), "{:?}", facts.sampling);
}

#[test]
fn amazon_2018_and_2023() {
    let meta: String = (100..110)
        .map(|item| {
            format!(
                "{{\"category\": [\"Electronics\", \"Part {}\"], \"brand\": \"Sony\", \"asin\": \"B000{item}\"}}\n",
                item % 3
            )
        })
        .collect();
    let files = [("Electronics_5.json.gz", reviews()), ("meta_Electronics.json.gz", meta)];
    let dataset = load_files("amazon-2018", &files, |_| {});
    assert_eq!(counts(&dataset), (4, 10, 40, 0.5));
    assert_eq!((vocabulary(&dataset, "category"), vocabulary(&dataset, "brand")), (4, 2));

    let mut log = "user_id,parent_asin,rating,timestamp\n".to_owned();
    ratings().iter().for_each(|(u, i, r, t)| log += &format!("AGKA{u},B00{i},{r}.0,1452647382{t}\n"));
    let files = [("Baby_Products.csv.gz", log)];
    let dataset = load_files("amazon-2023", &files, |config| config.category = Some("Baby_Products".to_owned()));
    assert_eq!(counts(&dataset), (4, 10, 40, 0.5));
}

/// The header of `user_profile.csv` ends in a blank, some levels are empty, a brand may be the text NULL.
#[test]
fn taobao_ads() {
    let mut log = "user,time_stamp,adgroup_id,pid,nonclk,clk\n".to_owned();
    for (user, item, rating, time) in ratings() {
        let day = if time < 1_008 { 1_494_000_000 } else { 1_494_604_800 };
        let click = u32::from(rating == 5);
        log += &format!("{user},{},{item},430548_1007,{},{click}\n", day + time, 1 - click);
    }
    let mut users = "userid,cms_segid,cms_group_id,final_gender_code,age_level,pvalue_level,shopping_level,occupation,new_user_class_level \n".to_owned();
    users += "1,0,5,2,5,,3,0,3\n2,0,5,2,5,1,3,0,\n3,0,5,2,5,2,3,0,4\n";
    let mut ads = "adgroup_id,cate_id,campaign_id,customer,brand,price\n".to_owned();
    (100..110).for_each(|ad| ads += &format!("{ad},6406,83237,1,{},170.0\n", if ad < 105 { "NULL" } else { "95471" }));
    let files = [("raw_sample.csv", log), ("user_profile.csv", users), ("ad_feature.csv", ads)];
    let dataset = load_files("taobao-ads", &files, |config| config.split = Some(SplitRule::Published));
    assert_eq!(counts(&dataset), (4, 10, 40, 0.5));
    // 3, 4 and missing (empty for user 2, no profile of user 4)
    assert_eq!(vocabulary(&dataset, "city_level"), 4);
    assert_eq!((vocabulary(&dataset, "brand"), vocabulary(&dataset, "price")), (3, 2));
    assert_eq!(dataset.facts.test.rows, 8, "the last day's");
    assert_eq!(dataset.fields.len(), 15, "no behavior log");

    // User 1 looks at two categories between its first and its second sample, and at a third at the time of the third; what
    // user 9 does is no user's of the log.
    let mut behaviors = "user,time_stamp,btag,cate,brand\n".to_owned();
    for (user, second, category) in [(1, 1_002, 30), (9, 1_000, 40), (1, 1_000, 20), (1, 1_000, 10)] {
        behaviors += &format!("{user},{},pv,{category},7\n", 1_494_000_000 + second);
    }
    let files = [files.as_slice(), &[("behavior_log.csv", behaviors)]].concat();
    let dataset = load_files("taobao-ads", &files, |_| {});
    assert_eq!(
        (dataset.facts.split_rule.as_str(), dataset.fields.len()),
        ("published, test from 1494604800, validation 0.1 of what is before", 17)
    );
    let field = dataset.fields.iter().position(|field| field.name == "recent_categories").unwrap();
    let unknown = dataset.fields[field].offset;
    let seen = |row: usize| -> Vec<u32> {
        dataset.lists[&field].get(dataset.sample_ids(row)[field]).iter().map(|id| id - unknown).collect()
    };
    // 10, 20, 30 in the vocabulary, in this order; of one second those first in the file come first.
    assert_eq!([seen(0), seen(1), seen(2), seen(3)], [vec![], vec![2, 1], vec![2, 1], vec![2, 1, 3]]);
    assert_eq!(seen(dataset.samples_of(1).start), Vec::<u32>::new());
    assert_eq!(dataset.facts.guard.last().unwrap().detail, "longest 3 values");
}

#[test]
fn taobao_userbehavior_draws_its_negatives() {
    let rows = |(u, i, _, t): &(u32, u32, u32, u32)| format!("{u},{i},4756105,pv,{t}\n");
    let log: String = ratings().iter().filter(|(_, _, _, time)| *time < 1_008).map(rows).collect();
    let dataset = load_files("taobao-userbehavior", &[("UserBehavior.csv", log)], |config| {
        config.negatives = Some(NegativeSampling { per_positive: 2, by: NegativeDistribution::Popularity, seed: 1 });
        config.max_users = Some(3);
    });
    assert_eq!((dataset.facts.users, dataset.facts.rows), (3, 3 * 8 * 3));
    assert!((dataset.facts.positive_rate - 1.0 / 3.0).abs() < 1e-12);
    let drawn = &dataset.facts.sampling;
    assert!(
        drawn[0] == "3 of 4 users, seed 0" && drawn[1].contains("2 per positive, drawn by popularity"),
        "{drawn:?}"
    );
}

/// Two logs of one layout, and ranges that hold commas.
#[test]
fn kuairand_1k() {
    let log = |from: u32, to: u32| {
        let mut log = "user_id,video_id,date,hourmin,time_ms,is_click,is_like,tab\n".to_owned();
        for (user, item, rating, time) in ratings().into_iter().filter(|(_, _, _, time)| (from..to).contains(time)) {
            log += &format!("{user},{item},20220421,{},165055{time},{},0,1\n", 400 + time % 10, u32::from(rating == 5));
        }
        log
    };
    let names = "user_id,user_active_degree,is_live_streamer,is_video_author,follow_user_num_range,fans_user_num_range,friend_user_num_range,register_days_range,onehot_feat0,onehot_feat1,onehot_feat2,onehot_feat4,onehot_feat6,onehot_feat7,onehot_feat8,onehot_feat9,onehot_feat10,onehot_feat11";
    let mut users = format!("{names}\n");
    (1..5).for_each(|user| {
        users += &format!("{user},full_active,0,1,\"(10,50]\",\"[1,10)\",0,61-90,0,1,2,3,4,5,6,7,8,9\n")
    });
    let mut videos = "video_id,author_id,video_type,upload_type,video_duration,music_type,tag\n".to_owned();
    (100..110)
        .for_each(|video| videos += &format!("{video},7,NORMAL,ShortImport,{},9.0,\"12,{video}\"\n", 1_000 * video));
    let files = [
        ("log_standard_4_08_to_4_21_1k.csv", log(0, 1_006)),
        ("log_standard_4_22_to_5_08_1k.csv", log(1_006, 2_000)),
        ("user_features_1k.csv", users),
        ("video_features_basic_1k.csv", videos),
    ];
    let dataset = load_files("kuairand-1k", &files, |_| {});
    assert_eq!(counts(&dataset), (4, 10, 40, 0.5));
    assert_eq!(vocabulary(&dataset, "tag"), 12, "12 on all videos, and a tag of its own on each");
}

/// One log, some of it twice, and what users watched before it.
#[test]
fn kuairand_pure() {
    let mut log = "user_id,video_id,date,hourmin,time_ms,is_click,tab\n".to_owned();
    for (user, item, rating, time) in ratings() {
        let line = format!("{user},{item},20220422,{},165060000{time},{},1\n", 900 + time % 10, u32::from(rating == 5));
        log += &line.repeat(if time == 1_003 { 2 } else { 1 });
    }
    let mut users = "user_id,user_active_degree,is_live_streamer,is_video_author,follow_user_num_range,fans_user_num_range,friend_user_num_range,register_days_range,onehot_feat0,onehot_feat1,onehot_feat2,onehot_feat4,onehot_feat6,onehot_feat7,onehot_feat8,onehot_feat9,onehot_feat10,onehot_feat11\n".to_owned();
    (1..5).for_each(|user| {
        users += &format!("{user},full_active,0,1,\"(10,50]\",\"[1,10)\",0,61-90,0,1,2,3,4,5,6,7,8,9\n")
    });
    let mut videos = "video_id,author_id,video_type,upload_type,video_duration,music_type,tag\n".to_owned();
    (100..110).for_each(|video| videos += &format!("{video},7,NORMAL,ShortImport,,9.0,\n"));
    let watched = "user_id,last_time_ms,watch_seq\n1,1650500000000,100 109 100\n".to_owned();
    let files = [
        ("log_standard_4_22_to_5_08_pure.csv", log),
        ("user_features_pure.csv", users),
        ("video_features_basic_pure.csv", videos),
        ("user_history_until_0424.csv", watched),
    ];
    let dataset = load_files("kuairand-pure", &files, |_| {});
    assert_eq!((counts(&dataset), dataset.facts.repeated_rows), ((4, 10, 40, 0.5), 4));
    let item = dataset.fields[dataset.item_field].offset;
    // Video 100 + k is the (k + 1)th item after the unknown one.
    assert_eq!(dataset.history(0), [item + 1, item + 10, item + 1]);
    assert!(dataset.history(dataset.samples_of(1).start).is_empty());
    assert_eq!((vocabulary(&dataset, "tag"), vocabulary(&dataset, "duration")), (2, 2), "all missing");
}

/// Three parts as published; without a user column nothing belongs to a user.
#[test]
fn bars_x1() {
    let part = |header: &str, row: &dyn Fn(u32) -> String, rows: u32| {
        let rows = (0..rows).map(|at| format!("{},{}\n", at % 2, row(at)));
        format!("{header}\n{}", rows.collect::<String>())
    };
    let load_parts = |name: &str, header: &str, row: &dyn Fn(u32) -> String| {
        let files = [("train.csv", 20), ("valid.csv", 8), ("test.csv", 6)];
        let files = files.map(|(file, rows)| (file, part(header, row, rows)));
        load_files(name, &files, |_| {})
    };
    let frappe = "label,user,item,daytime,weekday,isweekend,homework,cost,weather,country,city";
    let ids = |at: u32| format!("{},{},4149,5041,5046,5053,5055,5058,5060,5119", at % 4, 451 + at % 5);
    let dataset = load_parts("frappe", frappe, &ids);
    assert_eq!((dataset.facts.users, dataset.fields.len(), dataset.facts.warnings.len()), (4, 10, 3));

    let dataset = load_parts("movielens-latest-x1", "label,user_id,item_id,tag_id", &|at| {
        format!("{},{},7", at % 4, 90 + at % 5)
    });
    assert_eq!((dataset.facts.users, dataset.fields.len()), (4, 3));

    let avazu = (1..23).map(|i| format!("feat_{i}")).collect::<Vec<_>>().join(",");
    let dataset = load_parts("avazu-x1", &format!("label,{avazu}"), &|at| {
        (0..22).map(|i| (i * 100 + at % 3).to_string()).collect::<Vec<_>>().join(",")
    });
    assert_eq!((dataset.has_users(), dataset.fields.len(), dataset.facts.rows), (false, 22, 34));

    let (numbers, texts) = ((1..14).map(|i| format!("I{i}")), (1..27).map(|i| format!("C{i}")));
    let criteo = numbers.chain(texts).collect::<Vec<_>>().join(",");
    let cells = |at: u32| {
        let numbers = (0..13).map(|i| format!("0.{}{i}", at % 3));
        numbers
            .chain((0..26).map(|i| if i == 3 { String::new() } else { format!("{i}a{}", at % 2) }))
            .collect::<Vec<_>>()
            .join(",")
    };
    let dataset = load_parts("criteo-x1", &format!("label,{criteo}"), &cells);
    assert_eq!((dataset.has_users(), dataset.fields.len()), (false, 39));
    assert_eq!((vocabulary(&dataset, "I1"), vocabulary(&dataset, "C4")), (4, 2), "three numbers; only missing ones");
    let parts = [&dataset.facts.train, &dataset.facts.validation, &dataset.facts.test];
    assert_eq!(parts.map(|part| part.rows), [20, 8, 6]);
}

#[test]
fn frappe_libfm() {
    let part = |rows: u32| {
        let line = |at: u32| {
            format!(
                "{} {}:1 {}:1 4149:1 5041:1 5046:1 5053:1 5055:1 5058:1 5060:1 5119:1\n",
                if at.is_multiple_of(2) { 1 } else { -1 },
                at % 4,
                451 + at % 5
            )
        };
        (0..rows).map(line).collect::<String>()
    };
    let files =
        [("frappe.train.libfm", part(20)), ("frappe.validation.libfm", part(8)), ("frappe.test.libfm", part(6))];
    let dataset = load_files("frappe-libfm", &files, |_| {});
    assert_eq!((dataset.facts.users, dataset.facts.rows, dataset.facts.positive_rate), (4, 34, 0.5));
    assert_eq!(dataset.fields.len(), 10);

    let part = |rows: u32| {
        (0..rows)
            .map(|at| format!("{} {}:1 {}:1 9:1\n", if at.is_multiple_of(2) { 1 } else { -1 }, at % 4, 451 + at % 5))
            .collect::<String>()
    };
    let files =
        [("ml-tag.train.libfm", part(20)), ("ml-tag.validation.libfm", part(8)), ("ml-tag.test.libfm", part(6))];
    let dataset = load_files("movielens-latest-libfm", &files, |_| {});
    assert_eq!((dataset.facts.users, dataset.fields.len(), dataset.facts.positive_rate), (4, 3, 0.5));
}

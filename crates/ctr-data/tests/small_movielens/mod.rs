//! Files of MovieLens-100K's layout, small enough to break on purpose. Invented, not taken from the dataset.

use std::fs;
use std::path::PathBuf;

use ctr_data::DatasetConfig;

pub struct SmallMovielens {
    folder: tempfile::TempDir,
}

impl SmallMovielens {
    /// Three users with ten ratings each of items 10 to 19, positive at even items.
    pub fn new() -> Self {
        let source = SmallMovielens { folder: tempfile::tempdir().unwrap() };
        fs::create_dir_all(source.path("")).unwrap();
        let mut ratings = String::new();
        for user in 1..=3 {
            for step in 0..10 {
                let (item, rating) = (10 + step, if step % 2 == 0 { 5 } else { 2 });
                ratings.push_str(&format!("{user}\t{item}\t{rating}\t{}\n", 100 * user + step));
            }
        }
        fs::write(source.path("u.data"), ratings).unwrap();
        fs::write(source.path("u.user"), "1|24|M|writer|85711\n2|53|F|artist|T8H1N\n3|7|F|none|01002\n").unwrap();
        let mut items = Vec::new();
        for item in 10..20 {
            // 0xe9 is 'é' in ISO-8859-1, and no UTF-8.
            items.extend_from_slice(format!("{item}|Caf").as_bytes());
            items.push(0xe9);
            items.extend_from_slice(b" (1995)|01-Jan-1995||http://x|0|1|0|0|0|0|0|0|1|0|0|0|0|0|0|0|0|0|0\n");
        }
        fs::write(source.path("u.item"), items).unwrap();
        source
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join("data/movielens-100k").join(file)
    }

    pub fn config(&self) -> DatasetConfig {
        let mut config = DatasetConfig::new("movielens-100k");
        config.data_dir = Some(self.folder.path().join("data"));
        config.cache_dir = self.folder.path().join("cache");
        config
    }

    /// Replaces the first `from` in `file`, which must be there.
    pub fn replace(&self, file: &str, from: &str, to: &str) {
        let bytes = fs::read(self.path(file)).unwrap();
        let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
        let changed = [&bytes[..at], to.as_bytes(), &bytes[at + from.len()..]].concat();
        fs::write(self.path(file), changed).unwrap();
    }
}

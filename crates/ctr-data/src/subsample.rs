//! Fewer users, for quick runs.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::log::{Codes, Log, retain};

/// Keeps `users` of the users of `log`, drawn by `seed`, with all their rows; all of them where there are no more.
pub(crate) fn users(log: &mut Log, users: usize, seed: u64) {
    if users >= log.user_keys.len() {
        return;
    }
    let mut drawn: Vec<u32> = (0..log.user_keys.len() as u32).collect();
    drawn.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    drawn.truncate(users);
    drawn.sort_unstable();
    let mut index = vec![u32::MAX; log.user_keys.len()];
    for (new, &old) in drawn.iter().enumerate() {
        index[old as usize] = new as u32;
    }
    let kept: Vec<bool> = log.user.iter().map(|&user| index[user as usize] != u32::MAX).collect();
    let of_drawn = |codes: &Vec<u32>| drawn.iter().map(|&user| codes[user as usize]).collect();
    retain(&mut log.item, &kept);
    retain(&mut log.time, &kept);
    retain(&mut log.label, &kept);
    retain(&mut log.published, &kept);
    retain(&mut log.row_histories, &kept);
    retain(&mut log.user, &kept);
    log.user.iter_mut().for_each(|user| *user = index[*user as usize]);
    log.user_keys = drawn.iter().map(|&user| std::mem::take(&mut log.user_keys[user as usize])).collect();
    if let Some(probabilities) = &mut log.true_probability {
        retain(probabilities, &kept);
    }
    if !log.earlier.is_empty() {
        log.earlier = drawn.iter().map(|&user| std::mem::take(&mut log.earlier[user as usize])).collect();
    }
    for column in &mut log.columns {
        match &mut column.codes {
            Codes::User(codes) => *codes = of_drawn(codes),
            Codes::Row(codes) => retain(codes, &kept),
            Codes::Recent(recent) => {
                retain(&mut recent.ranges, &kept);
                recent.compact();
            }
            Codes::Item(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SyntheticConfig;
    use crate::synthetic::generate;

    #[test]
    fn the_drawn_users_keep_their_rows_and_attributes() {
        let config = SyntheticConfig { users: 50, ..SyntheticConfig::default() };
        let whole = generate(&config, 0.2);
        let mut part = whole.clone();
        users(&mut part, 20, 3);
        assert_eq!(part.user_keys.len(), 20);
        let rows_of = |log: &Log, key: &str| -> Vec<(u32, i64, u8, Vec<String>)> {
            let user = log.user_keys.iter().position(|other| other == key).unwrap() as u32;
            let fields = |row| log.columns.iter().map(|c| c.dictionary[log.code(c, row) as usize].clone()).collect();
            let rows = (0..log.rows()).filter(|&row| log.user[row] == user);
            rows.map(|row| (log.item[row], log.time[row], log.label[row], fields(row))).collect()
        };
        for key in &part.user_keys {
            assert_eq!(rows_of(&part, key), rows_of(&whole, key));
        }
        let mut again = whole.clone();
        users(&mut again, 20, 3);
        assert_eq!(again, part);
        users(&mut again, 20, 4);
        assert_eq!(again, part, "no more than there are");
        let mut other = whole.clone();
        users(&mut other, 20, 4);
        assert_ne!(other.user_keys, part.user_keys);
    }
}

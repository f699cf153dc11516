//! Which rows of the tables a set of samples touches.

use std::hint::select_unpredictable;
use std::sync::{Mutex, PoisonError};

const ABSENT: u32 = u32::MAX;

/// Maps global ids to consecutive leaf rows in the order of their first appearance.
///
/// It holds one slot per table row, so a look-up is a read and two writes; clearing costs what was touched, not the table's size.
#[derive(Debug)]
pub(crate) struct RowMap {
    slots: Vec<u32>,
    /// Global ids in the order of their leaf rows; behind the first `count`, room for those to come, and for one more: an id that is
    /// met again is written there too.
    rows: Vec<u32>,
    count: usize,
}

impl RowMap {
    /// A map for tables of this many rows.
    pub fn new(table_rows: usize) -> Self {
        Self { slots: vec![ABSENT; table_rows], rows: vec![0; table_rows + 1], count: 0 }
    }

    /// The leaf row of a global id, which must be below the number of table rows.
    #[inline]
    pub fn leaf_row(&mut self, id: u32) -> u32 {
        let slot = &mut self.slots[id as usize];
        let is_new = *slot == ABSENT;
        // Whether a user has met an id before is as hard to foresee as a coin.
        let row = select_unpredictable(is_new, self.count as u32, *slot);
        *slot = row;
        self.rows[self.count] = id;
        self.count += usize::from(is_new);
        row
    }

    /// Global ids in the order of their leaf rows.
    pub fn rows(&self) -> &[u32] {
        &self.rows[..self.count]
    }

    /// Forgets every id.
    pub fn clear(&mut self) {
        for &id in &self.rows[..self.count] {
            self.slots[id as usize] = ABSENT;
        }
        self.count = 0;
    }
}

/// Maps to be used by parallel workers, made once and handed around.
#[derive(Debug)]
pub(crate) struct RowMapPool {
    table_rows: usize,
    free: Mutex<Vec<RowMap>>,
}

impl RowMapPool {
    /// A pool for tables of this many rows.
    pub fn new(table_rows: usize) -> Self {
        Self { table_rows, free: Mutex::default() }
    }

    /// Runs `work` with an empty map.
    pub fn with<T>(&self, work: impl FnOnce(&mut RowMap) -> T) -> T {
        let free = || self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = free().pop();
        let mut map = taken.unwrap_or_else(|| RowMap::new(self.table_rows));
        let result = work(&mut map);
        map.clear();
        free().push(map);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_numbered_by_first_appearance() {
        let pool = RowMapPool::new(10);
        for _ in 0..2 {
            pool.with(|map| {
                let leaves: Vec<u32> = [7, 3, 7, 9, 3].map(|id| map.leaf_row(id)).to_vec();
                assert_eq!(leaves, [0, 1, 0, 2, 1]);
                assert_eq!(map.rows(), [7, 3, 9]);
            });
        }
        // Every row of the table, and one of them again.
        RowMapPool::new(3).with(|map| assert_eq!([0, 1, 2, 0].map(|id| map.leaf_row(id)), [0, 1, 2, 0]));
    }
}

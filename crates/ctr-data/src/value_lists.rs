//! Fields of which a sample may have several values, such as genres.

/// Most values of a list: every sample of a batch is padded to the longest.
pub(crate) const LONGEST_LIST: usize = 1000;

/// The lists of one field; a sample's id in such a field is the index of its list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ValueLists {
    ids: Vec<u32>,
    ranges: Vec<(u32, u32)>,
    longest: usize,
}

impl ValueLists {
    /// Lists that are `ranges` (start and end) of `ids`.
    ///
    /// # Panics
    /// If a range ends before it starts.
    pub fn new(ids: Vec<u32>, ranges: Vec<(u32, u32)>) -> ValueLists {
        let longest = ranges.iter().map(|(start, end)| (end - start) as usize).max().unwrap_or(0);
        ValueLists { ids, ranges, longest }
    }

    /// The lists one after the other.
    pub fn of(lists: &[Vec<u32>]) -> ValueLists {
        let mut end = 0;
        let range = |list: &Vec<u32>| {
            let start = end;
            end += list.len() as u32;
            (start, end)
        };
        let ranges = lists.iter().map(range).collect();
        ValueLists::new(lists.concat(), ranges)
    }

    /// Global ids of the values, which the ranges cut.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Start and end of each list in `ids`.
    pub fn ranges(&self) -> &[(u32, u32)] {
        &self.ranges
    }

    /// The ids of one list.
    pub fn get(&self, list: u32) -> &[u32] {
        let (start, end) = self.ranges[list as usize];
        &self.ids[start as usize..end as usize]
    }

    /// Values of the longest list, at least 1.
    pub fn longest(&self) -> usize {
        self.longest.max(1)
    }
}

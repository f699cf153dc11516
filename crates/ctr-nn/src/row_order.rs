//! The order in which look-ups are added up: by the row that they read.

use crate::{PADDING_ROW, RowGradients};
use candle_core::{Result, Tensor, bail};

/// Look-ups sorted by the row that they read; those of one row keep their order. Tables that are read with the same ids
/// share it.
#[derive(Debug)]
pub struct RowOrder {
    ids: Vec<Tensor>,
    /// Row in the upper half, position among all look-ups in the lower one.
    pub(crate) entries: Vec<u64>,
    /// First position of every part, and one behind the last.
    pub(crate) starts: Vec<usize>,
    /// The same order on a CUDA device, where `entries` are empty.
    #[cfg(feature = "cuda")]
    on_cuda: Option<crate::cuda::SortedLookups>,
}

/// The row of an entry.
pub(crate) fn row_of(entry: u64) -> usize {
    (entry >> 32) as usize
}

/// The position of an entry among all look-ups.
pub(crate) fn position_of(entry: u64) -> usize {
    entry as u32 as usize
}

impl RowOrder {
    /// Sorts the look-ups of `gradients`, without those of [`PADDING_ROW`].
    ///
    /// # Errors
    /// If there are more than 2^32 look-ups.
    pub fn new(gradients: &RowGradients) -> Result<Self> {
        let ids: Vec<Tensor> = gradients.ids().cloned().collect();
        #[cfg(feature = "cuda")]
        if ids.first().is_some_and(|ids| ids.device().is_cuda()) {
            let flat = ids.iter().map(Tensor::flatten_all).collect::<Result<Vec<_>>>()?;
            let flat = if let [only] = &flat[..] { only.contiguous()? } else { Tensor::cat(&flat, 0)? };
            let on_cuda = Some(crate::cuda::SortedLookups::new(&flat)?);
            return Ok(Self { ids, entries: Vec::new(), starts: Vec::new(), on_cuda });
        }
        let mut starts = vec![0];
        for part in &ids {
            starts.push(starts[starts.len() - 1] + part.elem_count());
        }
        let count = starts[starts.len() - 1];
        if u32::try_from(count).is_err() {
            bail!("{count} look-ups in one step are more than 2^32; make the batch smaller");
        }
        let mut entries = Vec::with_capacity(count);
        for (part, start) in ids.iter().zip(&starts) {
            let rows = part.flatten_all()?.to_vec1::<u32>()?;
            let numbered = rows.into_iter().zip(*start as u64..).filter(|(row, _)| *row != PADDING_ROW);
            entries.extend(numbered.map(|(row, position)| u64::from(row) << 32 | position));
        }
        // Pushed by position, sorted by row: a radix sort keeps what is equal in order.
        radsort::sort_by_key(&mut entries, |entry| (entry >> 32) as u32);
        Ok(Self {
            ids,
            entries,
            starts,
            #[cfg(feature = "cuda")]
            on_cuda: None,
        })
    }

    /// The order of these look-ups: `last` where it is of the same ids, since tables that are read alike share it.
    ///
    /// # Errors
    /// If there are more than 2^32 look-ups.
    pub fn shared<'o>(gradients: &RowGradients, last: &'o mut Option<Self>) -> Result<&'o Self> {
        Ok(match last.take().filter(|order| order.is_of(gradients)) {
            Some(shared) => last.insert(shared),
            None => last.insert(Self::new(gradients)?),
        })
    }

    #[cfg(feature = "cuda")]
    pub(crate) fn on_cuda(&self, gradients: &RowGradients) -> Result<&crate::cuda::SortedLookups> {
        self.check(gradients)?;
        match &self.on_cuda {
            Some(sorted) => Ok(sorted),
            None => bail!("look-ups and gradients are on different devices"),
        }
    }

    /// Whether this is the order of these look-ups.
    pub fn is_of(&self, gradients: &RowGradients) -> bool {
        self.ids.iter().map(Tensor::id).eq(gradients.ids().map(Tensor::id))
    }

    pub(crate) fn check(&self, gradients: &RowGradients) -> Result<()> {
        if !self.is_of(gradients) {
            bail!("the order of other look-ups");
        }
        Ok(())
    }
}

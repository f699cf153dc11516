//! Chunks one after the other on a device that computes while the next chunk is prepared.

use candle_core::Result;
use ctr_nn::is_out_of_memory;

/// What is done with a chunk. `prepare` runs beside `launch`; both may find memory short, which does not end the run.
pub(crate) struct Steps<P, L, R> {
    /// Makes a chunk of users and copies what it reads to the device.
    pub prepare: P,
    /// Queues a chunk's work.
    pub launch: L,
    /// Waits for that work and takes its result, for which the memory is there since the launch.
    pub read: R,
    /// Whether a chunk for which memory is short is tried again in halves.
    pub may_halve: bool,
}

impl<P, L, R> Steps<P, L, R> {
    /// Runs the users in this order. While a chunk is launched the next one is prepared, and a chunk's result is read when the one
    /// after it is launched, so that the device always has work. A chunk for which memory is short is tried again alone, then in
    /// halves; the second result is the users of the smallest chunk.
    pub fn run<U, Chunk, Launched, Done>(&self, users: &[U], chunk_users: usize) -> Result<(Vec<Done>, usize)>
    where
        U: Sync,
        Chunk: Send,
        Launched: Send,
        P: Fn(&[U]) -> Result<Chunk> + Sync,
        L: Fn(Chunk) -> Result<Launched> + Sync,
        R: Fn(Launched) -> Result<Done> + Sync,
    {
        let alone = |users: &[U]| (self.read)((self.launch)((self.prepare)(users)?)?);
        let chunks: Vec<&[U]> = users.chunks(chunk_users).collect();
        let (mut results, mut smallest) = (Vec::new(), chunk_users);
        let (mut ready, mut launched) = (None, None);
        for (i, users) in chunks.iter().enumerate() {
            let current = ready.take().unwrap_or_else(|| (self.prepare)(users));
            let (tried, next) =
                rayon::join(|| current.and_then(&self.launch), || chunks.get(i + 1).map(|users| (self.prepare)(users)));
            if let Some(before) = launched.take() {
                results.push((self.read)(before)?);
            }
            match tried {
                // What was prepared is dropped, and prepared again when its turn comes.
                Err(error) if is_out_of_memory(&error) => {
                    drop(next);
                    in_halves(users, self.may_halve, &alone, &mut results, &mut smallest)?;
                }
                tried => (launched, ready) = (Some(tried?), next),
            }
        }
        if let Some(last) = launched {
            results.push((self.read)(last)?);
        }
        Ok((results, smallest))
    }
}

/// Adds what `run` makes of all `users`, or, where memory is short and that may be, of their halves. `smallest` becomes the number of
/// users of the smallest part, if that is fewer.
fn in_halves<U, R>(
    users: &[U],
    may_halve: bool,
    run: &impl Fn(&[U]) -> Result<R>,
    results: &mut Vec<R>,
    smallest: &mut usize,
) -> Result<()> {
    match run(users) {
        Err(error) if is_out_of_memory(&error) && users.len() > 1 && may_halve => {
            let (first, second) = users.split_at(users.len().div_ceil(2));
            *smallest = second.len().min(*smallest);
            in_halves(first, may_halve, run, results, smallest)?;
            in_halves(second, may_halve, run, results, smallest)
        }
        tried => {
            results.push(tried?);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::bail;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    /// A device with room for some users: those of chunks that were prepared and not read yet, and as many again while a chunk is
    /// launched.
    struct Device {
        room: usize,
        held: AtomicUsize,
    }

    struct OnDevice<'d> {
        device: &'d Device,
        users: Vec<u32>,
    }

    impl Device {
        fn take(&self, users: &[u32]) -> Result<OnDevice<'_>> {
            let taken = OnDevice { device: self, users: users.to_vec() };
            if self.held.fetch_add(users.len(), SeqCst) + users.len() > self.room {
                bail!("DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")");
            }
            Ok(taken)
        }

        /// Users 0 to 9 in chunks of 4.
        fn run<'d>(&'d self, may_halve: bool) -> Result<(Vec<u32>, usize)> {
            let steps = Steps {
                prepare: |users: &[u32]| self.take(users),
                launch: |chunk: OnDevice<'d>| self.take(&chunk.users).map(drop).map(|()| chunk),
                read: |chunk: OnDevice<'d>| Ok(chunk.users.clone()),
                may_halve,
            };
            let (results, smallest) = steps.run(&(0..10).collect::<Vec<u32>>(), 4)?;
            Ok((results.concat(), smallest))
        }
    }

    impl Drop for OnDevice<'_> {
        fn drop(&mut self) {
            self.device.held.fetch_sub(self.users.len(), SeqCst);
        }
    }

    /// Room for everything; for one chunk but not for the next beside it, where preparing or launching fails, whichever comes
    /// later; for a half at a time; for one user at a time.
    #[test]
    fn every_user_is_done_in_order_whatever_the_memory() {
        for (room, expected) in [(20, 4), (8, 4), (4, 2), (2, 1)] {
            // More than once, since it depends on which thread comes first.
            for _ in 0..50 {
                let device = Device { room, held: AtomicUsize::new(0) };
                let (done, smallest) = device.run(true).expect("room for a user");
                assert_eq!((done, smallest), ((0..10).collect(), expected), "room for {room}");
                assert_eq!(device.held.load(SeqCst), 0, "what is left behind");
            }
        }
        for (room, may_halve) in [(1, true), (4, false)] {
            let device = Device { room, held: AtomicUsize::new(0) };
            let message = device.run(may_halve).expect_err("no room").to_string();
            assert!(message.contains("OUT_OF_MEMORY"), "{message}");
        }
    }

    /// A device that holds three users.
    #[test]
    fn parts_are_halved_until_they_fit_and_keep_their_order() {
        let run = |users: &[u32]| match users.len() {
            0..=3 => Ok(users.to_vec()),
            _ => bail!("CUDA_ERROR_OUT_OF_MEMORY"),
        };
        let users: Vec<u32> = (0..10).collect();
        let (mut parts, mut smallest) = (Vec::new(), 10);
        in_halves(&users, true, &run, &mut parts, &mut smallest).expect("parts that fit");
        assert_eq!(parts, [vec![0, 1, 2], vec![3, 4], vec![5, 6, 7], vec![8, 9]]);
        assert_eq!(smallest, 2);
        let other = |_: &[u32]| -> Result<u32> { bail!("an illegal address") };
        assert!(in_halves(&users, true, &other, &mut Vec::new(), &mut smallest).is_err());
    }
}

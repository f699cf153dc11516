//! The body of an answer, read so that a server that falls silent is noticed.

use std::fmt;
use std::io::Read;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

/// Bytes read at a time, and how often more may wait to be written.
const PART_BYTES: usize = 1 << 16;
const WAITING_PARTS: usize = 8;

/// Why a body stopped before its end.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stop {
    /// The connection was reset or closed.
    Ended,
    /// Nothing came for too long.
    Silent,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stop::Ended => "the connection ended",
            Stop::Silent => "the server fell silent",
        })
    }
}

/// Parts of a body as they come.
pub(super) struct Parts {
    parts: Receiver<std::io::Result<Vec<u8>>>,
    patience: Duration,
}

impl Parts {
    /// Reads `body` on a thread of its own; for `patience` nothing may come.
    pub fn new(mut body: impl Read + Send + 'static, patience: Duration) -> Parts {
        let (sender, parts) = sync_channel(WAITING_PARTS);
        thread::spawn(move || {
            loop {
                let mut part = vec![0; PART_BYTES];
                let read = body.read(&mut part).map(|read| {
                    part.truncate(read);
                    part
                });
                let is_last = read.as_ref().map_or(true, Vec::is_empty);
                // Nobody waits any more where the file could not be written, or patience ended.
                if sender.send(read).is_err() || is_last {
                    return;
                }
            }
        });
        Parts { parts, patience }
    }

    /// The next bytes; none at the end.
    ///
    /// # Errors
    /// Why there are no more.
    pub fn next(&self) -> Result<Vec<u8>, Stop> {
        match self.parts.recv_timeout(self.patience) {
            Ok(part) => part.map_err(|_| Stop::Ended),
            Err(RecvTimeoutError::Timeout) => Err(Stop::Silent),
            Err(RecvTimeoutError::Disconnected) => Err(Stop::Ended),
        }
    }
}

//! The body of an answer, read so that a server that falls silent is noticed.

use std::io::Read;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

/// Bytes read at a time, and how often more may wait to be written.
const PART_BYTES: usize = 1 << 16;
const WAITING_PARTS: usize = 8;

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
    /// If the connection was reset or closed, or nothing came for too long.
    pub fn next(&self) -> Result<Vec<u8>, ()> {
        match self.parts.recv_timeout(self.patience) {
            Ok(Ok(part)) => Ok(part),
            Ok(Err(_)) | Err(_) => Err(()),
        }
    }
}

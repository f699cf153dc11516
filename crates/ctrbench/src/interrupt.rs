//! Ctrl-C during a run.

use crate::progress::write_line;
use anyhow::{Context, Result};
use std::path::Path;

/// What shells give a process that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// From now on Ctrl-C says how the run in this folder goes on, and ends the process with exit code 130. Files are complete at
/// any time, so nothing is left to do for them.
pub fn say_how_to_go_on(folder: &Path, quiet: bool) -> Result<()> {
    let message = format!("\nstopped; the run goes on with: ctrbench run --resume {}", folder.display());
    let end = move || {
        if !quiet {
            write_line(&message);
        }
        std::process::exit(INTERRUPTED);
    };
    ctrlc::set_handler(end).context("Ctrl-C cannot be listened to")
}

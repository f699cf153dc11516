//! What is told to stderr while a command works.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, Write};

/// Where progress goes: a bar on a terminal, plain lines elsewhere, or nowhere.
pub struct Progress {
    bar: Option<ProgressBar>,
    quiet: bool,
}

impl Progress {
    /// Progress over `steps` equal steps.
    pub fn new(steps: u64, quiet: bool, no_bar: bool) -> Self {
        let wanted = !quiet && !no_bar && std::io::stderr().is_terminal();
        let bar = wanted.then(|| {
            let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("[{elapsed_precise}] {wide_bar} {pos}/{len}  {msg}");
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { bar, quiet }
    }

    /// Tells what happened.
    pub fn line(&self, message: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| write_line(message)),
            None if !self.quiet => write_line(message),
            None => {}
        }
    }

    /// Tells what is being done now, where it can be shown and taken away again.
    pub fn now(&self, message: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(message.to_owned());
        }
    }

    /// Counts steps as done.
    pub fn advance(&self, steps: u64) {
        if let Some(bar) = &self.bar {
            bar.inc(steps);
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Writes to stderr. A reader that went away (`ctrbench run … 2>&1 | head`) must not end a run, as `eprintln!` would.
pub fn write_line(message: &str) {
    let _ = writeln!(std::io::stderr(), "{message}");
}

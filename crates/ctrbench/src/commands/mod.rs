//! One file per command.

mod corrections;
mod data;
mod hardware;
mod models;
mod run;

use crate::cli::{Cli, Command, DataCommand};
use anyhow::Result;
use std::io::Write;

/// Runs the command that was asked for.
pub fn dispatch(cli: Cli) -> Result<()> {
    match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Data { command } => match command {
            DataCommand::List(output) => data::list(output),
            DataCommand::Download(args) => data::download(&args),
            DataCommand::Verify(args) => data::verify(&args),
            DataCommand::Inspect(args) => data::inspect(&args),
            DataCommand::Prepare(args) => data::prepare(&args),
        },
        Command::Models(args) => models::models(&args),
        Command::Corrections(args) => corrections::corrections(args),
        Command::Hardware(args) => hardware::hardware(&args),
    }
}

/// Writes a result to stdout. A reader that went away (`ctrbench … | head`) is no error.
fn print(text: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// The same as pretty JSON.
fn print_json(value: &impl serde::Serialize) -> Result<()> {
    print(&format!("{}\n", serde_json::to_string_pretty(value)?))
}

use anyhow::Result;
use clap::CommandFactory;

use crate::args::{Command, Completions};

/// Prints a completion script.
pub fn run(args: &Completions) -> Result<()> {
    clap_complete::generate(args.shell, &mut Command::command(), "geminios", &mut std::io::stdout());
    Ok(())
}

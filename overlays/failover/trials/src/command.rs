//! Programs that are run, and what they say when they fail.

use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The words of a command line. No word has a space in it.
#[must_use]
pub fn words(line: &str) -> Command {
    let mut words = line.split_ascii_whitespace();
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words);
    command
}

/// Runs it to its end and gives what it printed.
///
/// # Errors
/// It cannot be run, or fails; with what it said.
pub fn run(command: &mut Command) -> Result<String> {
    feed(command, "")
}

/// The same, with this as its input.
///
/// # Errors
/// It cannot be run, or fails; with what it said.
pub fn feed(command: &mut Command, input: &str) -> Result<String> {
    let line = format!("{command:?}");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| line.clone())?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that does not read it has its reasons.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().with_context(|| line.clone())?;
    if !output.status.success() {
        bail!("{line}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

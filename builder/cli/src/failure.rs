//! How a failure reaches the user: a readable chain, and an exit status that scripts can act on.

use std::fmt::Write as _;
use std::process::ExitCode;

use geminios_compose::ComposeError;
use geminios_fetch::FetchError;
use geminios_model::Diagnostic;

use crate::terminal::paint;

/// The lock is older than its profile.
#[derive(Debug, thiserror::Error)]
#[error("{message}\n  help: {help}")]
pub struct Stale {
    pub message: String,
    pub help: String,
}

/// Prints an error and all that caused it; gives the exit status.
pub fn report(error: &anyhow::Error, color: bool) -> ExitCode {
    if broken_pipe(error) {
        return ExitCode::SUCCESS;
    }
    eprintln!("{}", text(error, color));
    ExitCode::from(status(error))
}

/// A reader that closed our output, such as `head`, has seen all that it wanted.
fn broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
}

fn text(error: &anyhow::Error, color: bool) -> String {
    if let Some(diagnostic) = diagnostic(error) {
        return diagnostic.render(color);
    }
    let mut out = format!("{}: {error}", paint(color, "1;31", "error"));
    let mut last = error.to_string();
    for cause in error.chain().skip(1) {
        let words = cause.to_string();
        // An error whose own text already ends with its cause would say it twice.
        if !last.contains(&words) {
            let _ = write!(out, "\n  because: {words}");
        }
        last = words;
    }
    out
}

fn diagnostic(error: &anyhow::Error) -> Option<&Diagnostic> {
    match error.downcast_ref::<ComposeError>() {
        Some(ComposeError::Description(diagnostic)) => Some(diagnostic),
        _ => error.downcast_ref(),
    }
}

fn status(error: &anyhow::Error) -> u8 {
    for cause in error.chain() {
        if let Some(FetchError::Gone { .. }) = cause.downcast_ref() {
            return 3;
        }
        if cause.is::<Stale>() {
            return 4;
        }
    }
    1
}

/// Ends the process at Ctrl-C. Every result is written under a temporary name first, so that nothing
/// half-written is left under its own.
pub fn on_interrupt() {
    let ended = ctrlc::set_handler(|| {
        eprintln!("\ninterrupted; what was finished is kept, the same command goes on from there");
        std::process::exit(130);
    });
    // Without a handler the default action ends the process as well, only without a word.
    drop(ended);
}

//! The command on the device.

use std::io::Write as _;
use std::process::ExitCode;
use std::rc::Rc;

use geminios_updater::args::{self, HELP, Verb};
use geminios_updater::machine::Host;
use geminios_updater::supply::Tell;
use geminios_updater::verbs;

fn main() -> ExitCode {
    let verb = match args::parse(std::env::args_os().skip(1)) {
        Ok(verb) => verb,
        Err(message) => {
            complain(&format!("{message}\nTry `geminios-updater --help`."));
            return ExitCode::from(2);
        }
    };
    match verb {
        Verb::Help => say(HELP),
        Verb::Version => say(&format!("geminios-updater {}", env!("CARGO_PKG_VERSION"))),
        verb => {
            let tell: Tell = Rc::new(say);
            let done = verbs::run(&Host::default(), &verb, &tell);
            return ExitCode::from(done.unwrap_or_else(|failure| {
                complain(&failure.to_string());
                failure.status()
            }));
        }
    }
    ExitCode::SUCCESS
}

/// A reader that went away, such as `head`, is no failure.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn complain(message: &str) {
    let _ = writeln!(std::io::stderr(), "geminios-updater: {message}");
}

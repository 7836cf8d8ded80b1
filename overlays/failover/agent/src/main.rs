//! The command on the device.

mod device;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use device::Settings;

const HELP: &str = "\
Decides with the other node which of the two leads, and makes it so.

Usage: geminios-failover [--config FILE] VERB

  run         the agent: started by systemd, one on each node
  check       reads the settings and says what is wrong with them
  status      role, record, PostgreSQL and the other node, as JSON
  story       what happened last, with milliseconds since the machine started
  metrics     figures in the text format of Prometheus
  hand-over   lets the other node lead; nothing acknowledged is lost, and it takes seconds
  lead the-other-node-is-off
              leads although nothing proves that the other node does not: you vouch that it is off and stays off.
              What it acknowledged alone is lost
  help, version

  --config FILE   settings  [default: /etc/geminios/failover.toml]
";

fn main() -> ExitCode {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let mut config = PathBuf::from("/etc/geminios/failover.toml");
    if words.first().is_some_and(|word| word == "--config") && words.len() > 1 {
        config = PathBuf::from(&words[1]);
        words.drain(..2);
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["help" | "--help" | "-h"] => say(HELP),
        ["version" | "--version" | "-V"] => {
            say(&format!("geminios-failover {}\n", env!("CARGO_PKG_VERSION")))
        }
        ["run"] => Settings::read(&config).and_then(|settings| device::run(&settings)),
        ["check"] => Settings::read(&config).and_then(|_| say("the settings can be used\n")),
        [_, ..] if device::parse(&words.join(" ")).is_ok() => ask(&config, &words.join(" ")),
        [verb, ..] => {
            let why = match *verb {
                "lead" => device::parse(&words.join(" ")).err().unwrap_or_default(),
                verb => format!("there is no verb `{verb}`"),
            };
            complain(&format!("{why}\nTry `geminios-failover help`."));
            return ExitCode::from(2);
        }
        [] => {
            complain(HELP);
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            complain(&message);
            ExitCode::FAILURE
        }
    }
}

fn ask(config: &Path, question: &str) -> Result<(), String> {
    let answer = device::ask(&Settings::read(config)?.socket, question)?;
    if answer.starts_with("{\"refused\"") || answer.starts_with("{\"error\"") {
        return Err(answer.trim_end().to_owned());
    }
    say(&answer)
}

/// A reader that went away, such as `head`, is no failure.
fn say(text: &str) -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    Ok(())
}

fn complain(message: &str) {
    let _ = writeln!(std::io::stderr(), "geminios-failover: {message}");
}

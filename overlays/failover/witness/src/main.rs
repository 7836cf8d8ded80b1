//! The command of a witness's machine.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use geminios_failover_witness::service::add::add_site;
use geminios_failover_witness::service::args::{self, HELP, Verb};
use geminios_failover_witness::service::{Limits, Sites, serve};
use geminios_failover_witness::{EMPTY, Settings};

/// For a person who waits.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let verb = match args::parse(std::env::args_os().skip(1)) {
        Ok(verb) => verb,
        Err(message) => {
            complain(&format!("{message}\nTry `geminios-witness --help`."));
            return ExitCode::from(2);
        }
    };
    match run(verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            complain(&message);
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb) -> Result<(), String> {
    match verb {
        Verb::Help => say(HELP),
        Verb::Version => say(&format!("geminios-witness {}", env!("CARGO_PKG_VERSION"))),
        Verb::Serve { listen, dir, sites } => start(&listen, &dir, &sites)?,
        Verb::AddSite { name, dir, sites } => {
            let added = add_site(&name, &dir, &sites)?;
            say(&format!(
                "register  {}\nkey       {}\nCopy the key to both nodes, then restart the service.",
                added.register.display(),
                added.key.display()
            ));
        }
        Verb::Read(file) => {
            let held = Settings::read(&file)?.open()?.read(PATIENCE).map_err(|error| error.to_string())?;
            let record = held.record;
            let leads = match record {
                EMPTY => "nothing yet".to_owned(),
                _ => format!(
                    "{:?} leads, {}",
                    record.leader,
                    if record.alone { "alone" } else { "with its standby" }
                ),
            };
            let (number, epoch) = (record.number, record.epoch);
            say(&format!("tag {:016x}  record {number}  epoch {epoch}  {leads}", held.tag));
        }
        Verb::Create(file) => {
            Settings::read(&file)?.create(PATIENCE)?;
            say("the register is made");
        }
    }
    Ok(())
}

fn start(listen: &str, dir: &Path, keys: &Path) -> Result<(), String> {
    let (sites, damaged) = Sites::open(dir, keys)?;
    for problem in &damaged {
        complain(problem);
    }
    if sites.is_empty() {
        let keys = keys.display();
        return Err(format!(
            "{keys}: no key of any site\n  help: make one with `geminios-witness add-site NAME`"
        ));
    }
    let failed =
        |error| format!("{listen}: {error}\n  help: ADDR is an address of this machine and a free port");
    let listener = TcpListener::bind(listen).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let bad = match damaged.len() {
        0 => String::new(),
        bad => format!(", of which {bad} cannot be answered for"),
    };
    say(&format!("sites: {}{bad}; listening on {address}", sites.len()));
    serve(&listener, sites, Limits::default())
}

/// A reader that went away, such as `head`, is no failure.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn complain(message: &str) {
    let _ = writeln!(std::io::stderr(), "geminios-witness: {message}");
}

//! The command: looks at the machine, runs, and says what was done.

use std::fs;
use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use geminios_bootstrap::address::{self, Choice, Offline};
use geminios_bootstrap::args::{self, Command};
use geminios_bootstrap::check::check;
use geminios_bootstrap::clients;
use geminios_bootstrap::clock::{self, UnixTime};
use geminios_bootstrap::node::{self, Known, Node};
use geminios_bootstrap::run::run;
use geminios_bootstrap::state::State;
use geminios_bootstrap::{Error, interfaces};

const MACHINE_ID: &str = "/etc/machine-id";

fn main() -> ExitCode {
    let done = match args::parse(std::env::args_os().skip(1)) {
        Ok(Command::Help) => say(&[args::HELP.into()]),
        Ok(Command::Version) => say(&[format!("geminios-bootstrap {}", env!("CARGO_PKG_VERSION"))]),
        Ok(Command::Check { root }) => list(&root),
        Ok(Command::Run { root, wait, offline }) => bootstrap(&root, wait, offline),
        Err(message) => {
            complain(&format!("{message}\nTry `geminios-bootstrap --help`."));
            return ExitCode::from(2);
        }
    };
    done.unwrap_or_else(|error| {
        complain(&error.to_string());
        ExitCode::FAILURE
    })
}

fn bootstrap(root: &Path, wait: Duration, offline: Offline) -> Result<ExitCode, Error> {
    let state = State::new(root, &clients::read(Path::new(clients::FOLDER))?);
    let _lock = state.lock()?;
    let known = known(&state)?;
    let name = known.name.map_or_else(new_name, Ok)?;
    let node = Node { name, ip: ip(known.ip, wait, offline)?, host: host()? };
    let mut report = run(&state, &node, now())?;
    if report.lines.is_empty() && report.refusals.is_empty() {
        report.lines.push("all certificates and keys are there and valid; nothing to do".into());
    }
    let done = say(&report.lines);
    for refusal in &report.refusals {
        complain(&format!("{}/{refusal}", root.display()));
    }
    if report.refusals.is_empty() { done } else { Ok(ExitCode::FAILURE) }
}

fn list(root: &Path) -> Result<ExitCode, Error> {
    let state = State::new(root, &clients::read(Path::new(clients::FOLDER))?);
    let known = known(&state)?;
    let name = known.name.map_or_else(new_name, Ok)?;
    let node = Node { name, ip: known.ip.unwrap_or(Ipv4Addr::UNSPECIFIED), host: host()? };
    let listing = check(&state.read()?, &node, now());
    say(&listing.lines)?;
    Ok(if listing.is_due { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn known(state: &State) -> Result<Known, Error> {
    Ok(state.read()?.bytes(node::FILE).map(Known::parse).unwrap_or_default())
}

fn new_name() -> Result<String, Error> {
    let path = Path::new(MACHINE_ID);
    let text = fs::read_to_string(path).map_err(Error::file("read", path))?;
    node::name(&text).ok_or(Error::MachineId { path: path.to_owned(), text })
}

fn ip(previous: Option<Ipv4Addr>, wait: Duration, offline: Offline) -> Result<Ipv4Addr, Error> {
    let choice = address::wait(previous, offline, wait, interfaces::addresses, sleep)
        .map_err(Error::file("list interfaces of", Path::new("this machine")))?
        .ok_or(Error::NoAddress { waited: wait.as_secs() })?;
    let seconds = wait.as_secs();
    match choice {
        Choice::Carried(_) => {}
        Choice::Previous(ip) => {
            complain(&format!(
                "no interface has an IPv4 address, even after {seconds} s; {ip} stays the node's"
            ));
        }
        Choice::Fallback(ip) => complain(&format!(
            "no interface has an IPv4 address, even after {seconds} s; {ip} of {} is the node's until one has",
            address::FALLBACK_INTERFACE
        )),
    }
    Ok(choice.ip())
}

fn host() -> Result<String, Error> {
    interfaces::host_name().map_err(Error::file("read the host name of", Path::new("this machine")))
}

fn now() -> UnixTime {
    clock::now(SystemTime::now(), clock::built(Path::new(clock::CLOCK_EPOCH)))
}

/// A reader that went away, such as `head`, is no failure.
fn say(lines: &[String]) -> Result<ExitCode, Error> {
    let mut out = io::stdout().lock();
    for line in lines {
        let _ = writeln!(out, "{line}");
    }
    Ok(ExitCode::SUCCESS)
}

fn complain(message: &str) {
    let _ = writeln!(io::stderr(), "geminios-bootstrap: {message}");
}

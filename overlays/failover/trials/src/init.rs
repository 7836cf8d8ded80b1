//! The first process of a node, in place of systemd: starts units again when they end, reaps what has lost its parent, and does what the
//! trial says.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{sleep, spawn};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, wait};

use crate::layout;
use crate::story::now;
use crate::unit::Unit;

struct Running {
    unit: Unit,
    pid: Option<Pid>,
    wanted: bool,
    /// Start it without its pause when it has ended.
    at_once: bool,
}

type Shared = Arc<Mutex<HashMap<String, Running>>>;

fn lock(shared: &Shared) -> MutexGuard<'_, HashMap<String, Running>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Never ends by itself: it ends with the machine.
///
/// # Errors
/// It cannot begin.
pub fn run() -> Result<()> {
    let units: Vec<Unit> = serde_json::from_slice(&std::fs::read(layout::UNITS)?)?;
    let _ = std::fs::remove_file(layout::CONTROL);
    let listener = UnixListener::bind(layout::CONTROL).context(layout::CONTROL)?;
    note("the machine starts");
    let running =
        |unit: Unit| (unit.name.clone(), Running { wanted: unit.starts, unit, pid: None, at_once: false });
    let shared: Shared = Arc::new(Mutex::new(units.into_iter().map(running).collect()));
    for running in lock(&shared).values_mut().filter(|running| running.wanted) {
        start(running);
    }
    let reaper = Arc::clone(&shared);
    spawn(move || reap(&reaper));
    for stream in listener.incoming().flatten() {
        let shared = Arc::clone(&shared);
        spawn(move || serve(stream, &shared));
    }
    Ok(())
}

/// A line of the machine's log, with milliseconds since the host started, as the agents count.
pub fn note(text: &str) {
    if let Ok(mut log) = OpenOptions::new().append(true).create(true).open(layout::LOG) {
        let _ = log.write_all(format!("{} {text}\n", now()).as_bytes());
    }
}

fn start(running: &mut Running) {
    let Unit { name, command, environment, user, .. } = &running.unit;
    let output = || -> Result<Stdio> {
        let path = Path::new(layout::LOGS).join(format!("{name}.log"));
        Ok(OpenOptions::new().append(true).create(true).open(path)?.into())
    };
    let mut child = Command::new(&command[0]);
    child
        .args(&command[1..])
        .envs(environment.iter().cloned())
        .stdin(Stdio::null())
        .process_group(0)
        .current_dir("/");
    if let (Ok(out), Ok(error)) = (output(), output()) {
        child.stdout(out).stderr(error);
    }
    if let Some(user) = user {
        child.uid(*user).gid(*user);
    }
    running.at_once = false;
    match child.spawn() {
        Ok(child) => {
            running.pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
            note(&format!("{name} starts"));
        }
        Err(error) => note(&format!("{name} does not start: {error}")),
    }
}

fn reap(shared: &Shared) {
    loop {
        let ended = match wait(WaitOptions::empty()) {
            Ok(Some((pid, _))) => pid,
            // There is no child.
            _ => {
                sleep(Duration::from_millis(20));
                continue;
            }
        };
        let mut units = lock(shared);
        let Some(running) = units.values_mut().find(|running| running.pid == Some(ended)) else { continue };
        running.pid = None;
        note(&format!("{} has ended", running.unit.name));
        if running.at_once {
            start(running);
        } else if running.wanted {
            let (name, pause, shared) = (running.unit.name.clone(), running.unit.pause, Arc::clone(shared));
            spawn(move || {
                sleep(pause);
                if let Some(running) =
                    lock(&shared).get_mut(&name).filter(|now| now.wanted && now.pid.is_none())
                {
                    start(running);
                }
            });
        }
    }
}

fn serve(mut stream: UnixStream, shared: &Shared) {
    let mut line = String::new();
    let read = BufReader::new(&stream).read_line(&mut line);
    let done = read.map_err(anyhow::Error::from).and_then(|_| obey(&line, shared));
    let _ = match done {
        Ok(text) => writeln!(stream, "ok {text}"),
        Err(error) => writeln!(stream, "failed {error:#}"),
    };
}

fn obey(line: &str, shared: &Shared) -> Result<String> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let mut units = lock(shared);
    match words.as_slice() {
        ["kill", "postgres"] => kill_process(postmaster()?, Signal::KILL)?,
        ["kill", name] => {
            kill_process(unit(&mut units, name)?.pid.context("it does not run")?, Signal::KILL)?
        }
        ["pid", "postgres"] => return Ok(postmaster()?.as_raw_nonzero().to_string()),
        ["pid", name] => {
            return Ok(unit(&mut units, name)?.pid.context("it does not run")?.as_raw_nonzero().to_string());
        }
        ["stop", name] => {
            let unit = unit(&mut units, name)?;
            unit.wanted = false;
            // Nothing here keeps anything, and an orderly end would wait for watches.
            if let Some(pid) = unit.pid {
                kill_process(pid, Signal::KILL)?;
            }
        }
        ["start", name] => {
            let unit = unit(&mut units, name)?;
            unit.wanted = true;
            if unit.pid.is_none() {
                start(unit);
            }
        }
        // Its last argument is another one from now on. It is killed: it keeps nothing, and an orderly end would wait for watches.
        ["point", name, argument] => {
            let unit = unit(&mut units, name)?;
            if let Some(last) = unit.unit.command.last_mut() {
                (*argument).clone_into(last);
            }
            unit.wanted = true;
            match unit.pid {
                Some(pid) => {
                    unit.at_once = true;
                    kill_process(pid, Signal::KILL)?;
                }
                None => start(unit),
            }
        }
        // Nothing runs on without the first process.
        ["off"] => std::process::exit(0),
        _ => bail!("{line:?} is no order"),
    }
    Ok(String::new())
}

fn unit<'a>(units: &'a mut HashMap<String, Running>, name: &str) -> Result<&'a mut Running> {
    units.get_mut(name).with_context(|| format!("there is no unit {name}"))
}

fn postmaster() -> Result<Pid> {
    let path = format!("{}/postmaster.pid", layout::DATA);
    let text = std::fs::read_to_string(&path).context(path.clone())?;
    let pid = text.lines().next().and_then(|line| line.trim().parse().ok()).and_then(Pid::from_raw);
    pid.with_context(|| format!("{path}: no pid"))
}

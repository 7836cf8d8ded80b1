//! Other programs: each has a time limit, and no more of what it prints is kept than a message needs.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
/// Bytes of output that are kept, of its beginning.
const KEPT: u64 = 16 << 10;
const POLL: Duration = Duration::from_millis(20);

/// What to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    pub program: OsString,
    pub arguments: Vec<OsString>,
    pub environment: Vec<(&'static str, OsString)>,
    pub limit: Duration,
}

impl Command {
    pub fn new(program: impl AsRef<OsStr>, limit: Duration) -> Self {
        let program = program.as_ref().to_owned();
        Command { program, arguments: Vec::new(), environment: Vec::new(), limit }
    }

    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    #[must_use]
    pub fn args(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(OsString::from));
        self
    }

    #[must_use]
    pub fn env(mut self, name: &'static str, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name, value.as_ref().to_owned()));
        self
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.program.to_string_lossy())?;
        self.arguments.iter().try_for_each(|argument| write!(f, " {}", argument.to_string_lossy()))
    }
}

/// How it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Exit status; None if it was killed or never started.
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    /// Why there is no exit status.
    pub problem: Option<String>,
}

impl Outcome {
    pub fn is_success(&self) -> bool {
        self.status == Some(0)
    }

    /// One line for people: what went wrong, or the last thing it said.
    pub fn told(&self) -> String {
        let last = |text: &str| text.lines().rev().map(str::trim).find(|l| !l.is_empty()).map(plain);
        self.explained(last(&self.stderr).or_else(|| last(&self.stdout)))
    }

    /// The same of programs that say the reason first, and then give advice.
    pub fn told_first(&self) -> String {
        self.explained(self.stderr.lines().map(str::trim).find(|l| !l.is_empty()).map(plain))
    }

    fn explained(&self, said: Option<String>) -> String {
        match (&self.problem, said, self.status) {
            (Some(problem), Some(said), _) => format!("{problem}; it said: {said}"),
            (Some(problem), None, _) => problem.clone(),
            (None, Some(said), _) => said,
            (None, None, Some(status)) => format!("exit status {status}, and it said nothing"),
            (None, None, None) => "it ended without a word".to_owned(),
        }
    }
}

/// Of a line for people: no control characters, not too long.
fn plain(line: &str) -> String {
    line.chars().filter(|c| !c.is_control()).take(300).collect()
}

/// Runs programs. Tests answer for them.
pub trait Commands {
    fn run(&self, command: &Command) -> Outcome;
}

/// The real ones.
#[derive(Debug)]
pub struct Programs;

impl Commands for Programs {
    fn run(&self, command: &Command) -> Outcome {
        let mut process = std::process::Command::new(&command.program);
        process.args(&command.arguments).env("PATH", PATH).env("LC_ALL", "C.UTF-8").current_dir("/");
        process.envs(command.environment.iter().map(|(name, value)| (name, value)));
        // Its own group, so that what it starts can be ended with it.
        process.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        match process.spawn() {
            Ok(child) => finish(child, command.limit),
            Err(error) => {
                Outcome { problem: Some(format!("it cannot be started: {error}")), ..Outcome::default() }
            }
        }
    }
}

fn finish(mut child: Child, limit: Duration) -> Outcome {
    let outputs = (child.stdout.take().map(collect), child.stderr.take().map(collect));
    let start = Instant::now();
    let (status, problem) = loop {
        match child.try_wait() {
            Ok(Some(status)) => break (status.code(), status.code().is_none().then(|| status.to_string())),
            Ok(None) if start.elapsed() < limit => thread::sleep(POLL),
            Ok(None) => {
                end(&mut child);
                break (None, Some(format!("it did not end within {} s", limit.as_secs())));
            }
            Err(error) => break (None, Some(error.to_string())),
        }
    };
    // A program that it left behind may hold the pipe open for ever.
    let text = |output: Option<Receiver<String>>| {
        output.and_then(|output| output.recv_timeout(Duration::from_secs(1)).ok()).unwrap_or_default()
    };
    Outcome { status, stdout: text(outputs.0), stderr: text(outputs.1), problem }
}

fn end(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

fn collect(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut pipe = pipe;
        let mut kept = Vec::new();
        let _ = pipe.by_ref().take(KEPT).read_to_end(&mut kept);
        // The rest is read too, or the program would wait for somebody to do so.
        let _ = std::io::copy(&mut pipe, &mut std::io::sink());
        let _ = sender.send(String::from_utf8_lossy(&kept).into_owned());
    });
    receiver
}

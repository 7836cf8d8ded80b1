//! Runs a program that may do anything: hang, talk without end, leave children behind.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use crate::Cancel;
use crate::cancel::wait;

/// So long a killed program may take to be gone before it is left to a thread: it waits for a disk, or for NFS.
const REAP: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) enum End {
    Exited(ExitStatus),
    Deadline,
    Cancelled,
    /// It wrote more than it may.
    TooMuch,
}

#[derive(Debug)]
pub(crate) struct Ran {
    pub end: End,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

/// What a program may do.
pub(crate) struct Limits {
    pub until: Instant,
    /// Of each of its outputs, in bytes.
    pub output: usize,
    /// Whether it is killed when it writes more; else the rest is read and forgotten.
    pub strict: bool,
}

/// Runs it in a process group of its own, which is killed when it ends, whichever way.
///
/// `input` must fit into a pipe (4096 bytes always do, pipe(7)): it is written before the program is looked at.
pub(crate) fn run(mut command: Command, input: &[u8], limits: &Limits, cancel: &Cancel) -> io::Result<Ran> {
    let stdin = if input.is_empty() { Stdio::null() } else { Stdio::piped() };
    command.process_group(0).stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Running::start(command)?;
    if let Some(mut stdin) = running.child.as_mut().and_then(|child| child.stdin.take()) {
        // A program that does not read its input ends by itself, or by the deadline.
        let _ = io::Write::write_all(&mut stdin, input);
    }
    let mut outputs = running.outputs(limits)?;
    let end = loop {
        let left = limits.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break End::Deadline;
        }
        let mut files = vec![PollFd::new(&running.pidfd, PollFlags::IN), PollFd::new(cancel, PollFlags::IN)];
        files.extend(outputs.iter().filter_map(Output::poll_fd));
        wait(&mut files, Some(left));
        if cancel.is_cancelled() {
            break End::Cancelled;
        }
        let exited = running.exited();
        outputs.iter_mut().for_each(Output::read);
        if limits.strict && outputs.iter().any(|output| output.more) {
            break End::TooMuch;
        }
        if exited {
            break End::Exited(running.reap()?);
        }
    };
    let [stdout, stderr] = outputs.map(|output| output.bytes);
    Ok(Ran { end, stdout, stderr })
}

struct Running {
    child: Option<Child>,
    group: Pid,
    pidfd: OwnedFd,
}

impl Running {
    fn start(mut command: Command) -> io::Result<Self> {
        let mut child = command.spawn()?;
        let group = Pid::from_child(&child);
        match pidfd_open(group, PidfdFlags::empty()) {
            Ok(pidfd) => Ok(Running { child: Some(child), group, pidfd }),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error.into())
            }
        }
    }

    fn outputs(&mut self, limits: &Limits) -> io::Result<[Output; 2]> {
        let child = self.child.as_mut();
        let (stdout, stderr) = child.map_or((None, None), |child| (child.stdout.take(), child.stderr.take()));
        let output = |file: Option<OwnedFd>| -> io::Result<Output> {
            if let Some(file) = &file {
                rustix::io::ioctl_fionbio(file, true)?;
            }
            Ok(Output { file, bytes: Vec::new(), limit: limits.output, more: false })
        };
        Ok([output(stdout.map(OwnedFd::from))?, output(stderr.map(OwnedFd::from))?])
    }

    fn exited(&self) -> bool {
        wait(&mut [PollFd::new(&self.pidfd, PollFlags::IN)], Some(Duration::ZERO))
    }

    /// Of one that has exited. What it left behind is killed first, while its number cannot be another's.
    fn reap(&mut self) -> io::Result<ExitStatus> {
        let _ = kill_process_group(self.group, Signal::KILL);
        let mut child = self.child.take().ok_or(io::ErrorKind::NotFound)?;
        child.wait()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let _ = kill_process_group(self.group, Signal::KILL);
        if wait(&mut [PollFd::new(&self.pidfd, PollFlags::IN)], Some(REAP)) {
            let _ = child.wait();
        } else {
            std::thread::spawn(move || child.wait());
        }
    }
}

struct Output {
    file: Option<OwnedFd>,
    bytes: Vec<u8>,
    limit: usize,
    more: bool,
}

impl Output {
    fn poll_fd(&self) -> Option<PollFd<'_>> {
        self.file.as_ref().map(|file| PollFd::from_borrowed_fd(file.as_fd(), PollFlags::IN))
    }

    /// What is there now. Not without end: who writes faster than this reads is read on after the next look at the deadline.
    fn read(&mut self) {
        let mut buffer = [0; 16384];
        for _ in 0..16 {
            let Some(file) = &self.file else { return };
            match rustix::io::read(file, &mut buffer) {
                Ok(0) => self.file = None,
                Ok(length) => {
                    let take = length.min(self.limit - self.bytes.len());
                    self.bytes.extend_from_slice(&buffer[..take]);
                    self.more |= take < length;
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => return,
                Err(_) => self.file = None,
            }
        }
    }
}

/// One line of what a program said, for a message: no control characters, not long.
pub(crate) fn excerpt(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let clean = words.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
    let mut short: String = clean.take(300).collect();
    if short.len() < words.len() {
        short.push('…');
    }
    short
}

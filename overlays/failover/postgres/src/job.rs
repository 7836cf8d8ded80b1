//! A program that works for the driver while the driver goes on looking.

use std::{
    fs::File,
    io::Read,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command},
    sync::{Arc, Mutex},
    thread::JoinHandle,
};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::{Error, Settings, error::At};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Ask,
    Rewind,
    Copy,
    InitDb,
}

pub(crate) struct Job {
    pub kind: Kind,
    /// Of the goal that it was begun for.
    pub epoch: u64,
    pub cancelled: bool,
    child: Child,
    text: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

/// How a job ended.
pub(crate) struct Ended {
    pub kind: Kind,
    pub epoch: u64,
    pub cancelled: bool,
    /// All that it printed, and whether it succeeded.
    pub text: String,
    pub good: bool,
}

impl Job {
    /// The program gets the lock as its input: whoever starts the driver anew waits for it.
    pub fn spawn(
        settings: &Settings,
        lock: &File,
        kind: Kind,
        epoch: u64,
        mut command: Command,
    ) -> Result<Job, Error> {
        let program = PathBuf::from(command.get_program());
        let (from, to) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).at(&program)?;
        let mut from = File::from(from);
        command.stdin(lock.try_clone().at(&program)?).stdout(to.try_clone().at(&program)?).stderr(to);
        command.current_dir("/").env("LC_ALL", "C").process_group(0);
        if let Some((user, group)) = settings.run_as {
            command.uid(user).gid(group);
        }
        let child = command.spawn().at(&program)?;
        drop(command);
        let text = Arc::new(Mutex::new(Vec::new()));
        let sink = text.clone();
        let reader = std::thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(read @ 1..) = from.read(&mut part) {
                if let Ok(mut text) = sink.lock() {
                    text.extend_from_slice(&part[..read]);
                }
            }
        });
        Ok(Job { kind, epoch, cancelled: false, child, text, reader: Some(reader) })
    }

    pub fn text(&self) -> String {
        self.text.lock().map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default()
    }

    /// Kills it and what it started. It may take longer to be gone, if it hangs in the disk.
    pub fn cancel(&mut self) {
        self.cancelled = true;
        if let Some(group) = Pid::from_raw(self.child.id() as i32) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    /// How it ended, once it and what it started are gone.
    pub fn ended(&mut self) -> Option<Ended> {
        let status = self.child.try_wait().ok()??;
        if !self.reader.as_ref().is_none_or(JoinHandle::is_finished) {
            return None;
        }
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        let (kind, epoch, cancelled) = (self.kind, self.epoch, self.cancelled);
        Some(Ended { kind, epoch, cancelled, text: self.text(), good: status.success() && !cancelled })
    }
}

impl Ended {
    /// The end of what it printed, as an error.
    pub fn error(&self) -> Error {
        let lines: Vec<_> = self.text.lines().filter(|line| !line.trim().is_empty()).collect();
        let last = lines[lines.len().saturating_sub(6)..].join("; ");
        let name = match self.kind {
            Kind::Ask => "psql to the peer",
            Kind::Rewind => "pg_rewind",
            Kind::Copy => "pg_basebackup",
            Kind::InitDb => "initdb",
        };
        Error::Program(name.into(), if last.is_empty() { "it was ended".into() } else { last })
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.cancel();
            let _ = self.child.wait();
        }
    }
}

/// Percent of the newest line of pg_basebackup's progress: `12345/67890 kB (18%), 0/1 tablespace`.
pub(crate) fn percent(text: &str) -> Option<u8> {
    let at = text.rfind("%)")?;
    text[..at].rsplit('(').next()?.trim().parse().ok()
}

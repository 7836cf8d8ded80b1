//! Programs that change the data: pg_rewind, pg_basebackup, initdb; and what is left of them after an interruption.
//!
//! `own/new` is a cluster that is made, and nothing else; it takes the place of the old one by one rename. `own/rewinding` says that
//! the cluster is neither old nor new.

use std::{path::PathBuf, process::Command, time::Instant};

use crate::{
    Error, Phase, conf, control, files, fork, history,
    job::{Ended, Kind},
    leader::{self, Fork, Need},
    plan::Server,
    worker::{Asked, Worker},
};

/// pg_rewind prints this before it changes the first file (`pg_rewind.c`).
const TOUCHES: &str = "rewinding from last common checkpoint";

impl Worker {
    fn new_folder(&self) -> PathBuf {
        self.settings.own.join("new")
    }

    /// Of an earlier driver. An unfinished copy, or what a finished one replaced.
    pub(crate) fn clear_leftovers(&mut self) {
        self.discard();
        let Ok(entries) = std::fs::read_dir(&self.settings.own) else { return };
        let old =
            entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with("discarded-"));
        let paths: Vec<_> = old.map(|entry| entry.path()).collect();
        std::thread::spawn(move || paths.iter().try_for_each(|path| files::remove_folder(path)));
    }

    /// Removes `new` beside the work: that may take long.
    fn discard(&mut self) {
        let new = self.new_folder();
        let number = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let number = format!("{}-{}", number.tv_sec, number.tv_nsec);
        let discarded = self.settings.own.join(format!("discarded-{number}"));
        if std::fs::rename(&new, &discarded).is_ok() {
            std::thread::spawn(move || files::remove_folder(&discarded));
        }
    }

    /// Keeps the fork, once for each epoch; false if something else is wanted by now.
    fn keep_fork(&mut self, fork: Option<Fork>) -> Result<bool, Error> {
        let Some(fork) = fork.filter(|_| self.kept_for != Some(self.epoch())) else { return Ok(true) };
        self.say(Phase::KeepingFork);
        let (aim, inbox, epoch) = (self.aim.aim, self.inbox.clone(), self.epoch());
        let control = control::read(&self.settings, &self.settings.data)
            .map_or_else(|error| error.to_string(), |control| format!("{control:?}"));
        let go_on = || inbox.wanted().aim == aim && !inbox.wanted().closing;
        let kept = fork::keep(&self.settings, fork, epoch, &control, go_on)?;
        let went_on = kept.is_some();
        if let Some(kept) = kept {
            self.kept_for = Some(epoch);
            self.say(Phase::ForkKept(kept));
        }
        Ok(went_on)
    }

    pub(crate) fn rewind(&mut self, need: Need) -> Result<(), Error> {
        let Need::Rewind { fork } = need else { return Ok(()) };
        let fork = fork.or_else(|| self.fork());
        if !self.keep_fork(fork)? {
            return Ok(());
        }
        self.say(Phase::Rewinding);
        self.clear_zombie()?;
        files::write(&self.mark(), &format!("{}\n", self.epoch()), self.settings.run_as)?;
        // pg_rewind recovers the cluster in single-user mode, which does not take these.
        files::remove(&self.settings.data.join("standby.signal"))?;
        let mut command = Command::new(self.settings.program("pg_rewind"));
        command.arg("--target-pgdata").arg(&self.settings.data);
        command.arg("--config-file").arg(&self.settings.config_file);
        command.arg("--source-server").arg(conf::conninfo(&self.settings, "geminios_rewind"));
        self.rewound = Some(self.epoch());
        self.begin(Kind::Rewind, command)
    }

    /// Where this cluster left the leader's history, as far as is known.
    fn fork(&self) -> Option<Fork> {
        let leader = self.asked.as_ref()?.leader.as_ref()?;
        let timeline = control::read(&self.settings, &self.settings.data).ok()?.timeline;
        let from = history::left(&history::parse(&leader.history), timeline).unwrap_or_default();
        Some(Fork { timeline, from })
    }

    pub(crate) fn copy(&mut self, need: Need) -> Result<(), Error> {
        let fork = match need {
            Need::Rewind { fork } | Need::Copy { fork } => fork,
            Need::Nothing => None,
        };
        if !self.keep_fork(fork)? {
            return Ok(());
        }
        self.discard();
        self.say(Phase::BaseBackup { percent: 0 });
        let mut command = Command::new(self.settings.program("pg_basebackup"));
        command.arg("--pgdata").arg(self.new_folder());
        command.arg("--dbname").arg(conf::conninfo(&self.settings, "geminios_copy"));
        command.args(["--wal-method=stream", "--checkpoint=fast", "--progress", "--no-password", "--slot"]);
        command.arg(&self.settings.name);
        self.begin(Kind::Copy, command)
    }

    pub(crate) fn initdb(&mut self) -> Result<(), Error> {
        let Some(line) = self.settings.initdb.clone() else {
            return Err(Error::NoData(self.settings.data.clone(), self.epoch()));
        };
        self.discard();
        self.say(Phase::Initializing);
        let mut words = line.iter();
        let mut command = Command::new(words.next().map_or("initdb", String::as_str));
        command.args(words).arg(self.new_folder());
        self.begin(Kind::InitDb, command)
    }

    /// Sees to a job that ended.
    pub(crate) fn end_job(&mut self) {
        let Some(ended) = self.job.as_mut().and_then(|job| job.ended()) else { return };
        self.job = None;
        let done = match ended.kind {
            Kind::Ask => {
                self.asked(&ended);
                Ok(())
            }
            Kind::Rewind => self.end_rewind(&ended),
            Kind::Copy | Kind::InitDb => self.end_copy(&ended),
        };
        if let Err(error) = done {
            self.fail(&error);
        }
    }

    fn end_rewind(&mut self, ended: &Ended) -> Result<(), Error> {
        self.asked = None;
        if ended.good {
            conf::clear_overrides(&self.settings.data, self.settings.run_as)?;
        } else if ended.text.contains(TOUCHES) {
            return if ended.cancelled { Ok(()) } else { Err(ended.error()) };
        }
        // A standby before the mark goes: it must never start as a leader on a timeline that another one leads.
        self.make_standby(&self.settings.data.clone())?;
        files::remove(&self.mark())?;
        if ended.good {
            self.verdict = None;
            self.say(Phase::Rewound);
            return Ok(());
        }
        if ended.cancelled {
            return Ok(());
        }
        if !ended.text.contains("connection to server") {
            self.verdict = Some((ended.epoch, Need::Copy { fork: None }));
        }
        Err(ended.error())
    }

    fn end_copy(&mut self, ended: &Ended) -> Result<(), Error> {
        self.asked = None;
        let new = self.new_folder();
        if !ended.good {
            self.discard();
            return if ended.cancelled { Ok(()) } else { Err(ended.error()) };
        }
        if ended.kind == Kind::Copy {
            conf::clear_overrides(&new, self.settings.run_as)?;
            self.make_standby(&new)?;
        }
        files::exchange(&new, &self.settings.data)?;
        files::remove(&self.mark())?;
        self.discard();
        self.verdict = None;
        if ended.kind == Kind::Copy {
            self.copied_for = Some(ended.epoch);
            self.say(Phase::BaseBackupDone);
        }
        Ok(())
    }

    /// The peer answered, or did not.
    fn asked(&mut self, ended: &Ended) {
        let leader = if ended.good { leader::parse(&ended.text) } else { None };
        let epoch = self.epoch();
        let right = leader.as_ref().filter(|leader| leader.epoch == Some(epoch));
        if let (Some(leader), Some(pid)) = (right, self.asked_with) {
            self.confirmed = Some((pid, epoch, leader.timeline));
        }
        match right {
            Some(leader) if self.server != Server::Gone && !leader.connected => {
                let since = *self.stuck.get_or_insert_with(Instant::now);
                let end = self.answer.as_ref().filter(|answer| answer.recovery).map(|answer| answer.end);
                if end.is_some_and(|end| end.segment() < leader.oldest) {
                    self.verdict = Some((epoch, Need::Copy { fork: None }));
                } else if since.elapsed() >= self.settings.limits.stuck {
                    let need = if end.is_some() { self.harder() } else { Need::Copy { fork: None } };
                    self.verdict = Some((epoch, need));
                }
            }
            _ => self.stuck = None,
        }
        self.asked = Some(Asked { at: Instant::now(), leader });
    }
}

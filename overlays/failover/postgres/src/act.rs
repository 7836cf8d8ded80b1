//! Carrying out one step. Nothing is decided here.

use std::{fs, time::Instant};

use crate::{
    Error, Phase, Stop,
    conf::{self, Wait},
    files,
    job::{Job, Kind},
    leader,
    plan::{Server, Step},
    processes,
    worker::{Stopping, Worker},
};

impl Worker {
    pub(crate) fn carry_out(&mut self, step: Step) {
        if self.lock.is_none() && !matches!(step, Step::Rest | Step::Stop(_)) {
            // What an earlier driver began may still write.
            match files::lock(&self.settings.own.join("lock")) {
                Ok(lock) => {
                    self.lock = Some(lock);
                    self.clear_leftovers();
                }
                Err(error) => return self.fail(&error),
            }
        }
        let done = match step {
            Step::Rest => Ok(()),
            Step::Stop(how) => self.stop(how),
            Step::Abandon => {
                if let Some(job) = &mut self.job {
                    job.cancel();
                }
                Ok(())
            }
            Step::Ask => self.ask(),
            Step::Configure(wait, epoch) => self.configure(wait, epoch),
            Step::Start { standby, wait, epoch } => self.start(standby, wait, epoch),
            Step::Promote => self.promote(),
            Step::Prove => self.prove(),
            Step::Prepare => self.prepare(),
            Step::DropSlot => self.drop_slot(),
            Step::Rewind(need) => self.rewind(need),
            Step::Copy(need) => self.copy(need),
            Step::InitDb => self.initdb(),
            Step::NoData => Err(Error::NoData(self.settings.data.clone(), self.epoch())),
            Step::CannotLead => Err(Error::HalfRewound(self.settings.data.clone())),
        };
        if let Err(error) = done {
            self.fail(&error);
        }
    }

    fn stop(&mut self, how: Stop) -> Result<(), Error> {
        self.say(Phase::Stopping(how));
        self.stopping = Some(Stopping { how, since: Instant::now() });
        self.service.stop(how)
    }

    fn ask(&mut self) -> Result<(), Error> {
        self.asked_with = self.answer.as_ref().and_then(|answer| answer.receiver);
        let mut command = std::process::Command::new(self.settings.program("psql"));
        let info = conf::conninfo(&self.settings, "geminios_failover");
        command.args(["--no-psqlrc", "--no-password", "--quiet", "--tuples-only", "--no-align"]);
        command.arg("--command").arg(leader::question(&self.settings)).arg("--dbname").arg(info);
        command.env("PGOPTIONS", "-c statement_timeout=3000");
        self.begin(Kind::Ask, command)
    }

    pub(crate) fn begin(&mut self, kind: Kind, command: std::process::Command) -> Result<(), Error> {
        let Some(lock) = &self.lock else { return Ok(()) };
        self.job = Some(Job::spawn(&self.settings, lock, kind, self.epoch(), command)?);
        Ok(())
    }

    /// The files first: a server that crashes here starts with what they say.
    fn configure(&mut self, wait: Wait, epoch: u64) -> Result<(), Error> {
        if self.configured.is_some_and(|at| at.elapsed() < std::time::Duration::from_millis(500))
            && self.written(wait, epoch)
        {
            return Ok(());
        }
        if wait == Wait::Nothing {
            (self.strict, self.strict_run, self.proof, self.probe, self.waited) =
                (false, None, None, None, false);
            self.tell();
        }
        conf::clear_overrides(&self.settings.data, self.settings.run_as)?;
        conf::write(&self.settings, wait, epoch)?;
        if matches!(self.server, Server::Primary(_)) {
            match wait {
                Wait::Strict => self.say(Phase::Waiting),
                Wait::Nothing => self.say(Phase::Alone),
                Wait::Peer => {}
            }
        }
        self.configured = Some(Instant::now());
        self.sql.call("select pg_reload_conf()")
    }

    fn written(&self, wait: Wait, epoch: u64) -> bool {
        let text = fs::read_to_string(self.settings.own.join("postgresql.conf")).unwrap_or_default();
        let has = |line: String| text.lines().any(|there| there == line);
        has(format!("synchronous_standby_names = '{}'", wait.names(&self.settings.peer.name)))
            && has(format!("geminios.epoch = '{epoch}'"))
    }

    fn start(&mut self, standby: bool, wait: Wait, epoch: u64) -> Result<(), Error> {
        conf::clear_overrides(&self.settings.data, self.settings.run_as)?;
        conf::write(&self.settings, wait, epoch)?;
        if standby {
            self.make_standby(&self.settings.data.clone())?;
        }
        self.clear_zombie()?;
        self.say(Phase::Starting { standby });
        self.strict = wait != Wait::Nothing;
        self.server = Server::Unready;
        self.may_lead = !standby;
        // Before there is a process: from now on it is not stopped.
        self.tell();
        self.started = Some(Instant::now());
        self.service.start()
    }

    pub(crate) fn make_standby(&self, data: &std::path::Path) -> Result<(), Error> {
        files::remove(&data.join("recovery.signal"))?;
        let signal = data.join("standby.signal");
        if signal.exists() { Ok(()) } else { files::write(&signal, "", self.settings.run_as) }
    }

    /// PostgreSQL takes the zombie of a postmaster for a living one. Its parent may be late.
    pub(crate) fn clear_zombie(&self) -> Result<(), Error> {
        let settings = &self.settings;
        let locks = [
            settings.data.join("postmaster.pid"),
            settings.socket.join(format!(".s.PGSQL.{}.lock", settings.port)),
        ];
        for path in locks {
            let Ok(text) = fs::read_to_string(&path) else { continue };
            let pid = text.lines().next().unwrap_or_default();
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let zombie = stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'));
            if zombie && processes::gone(&settings.data) {
                files::remove(&path)?;
            }
        }
        Ok(())
    }

    fn promote(&mut self) -> Result<(), Error> {
        self.say(Phase::Promoting);
        self.may_lead = true;
        self.promoted = Some(Instant::now());
        self.sql.call("select pg_promote(false)")
    }

    fn prove(&mut self) -> Result<(), Error> {
        let Some(probe) = self.probe.take() else {
            self.probe = Some(self.sql.probe()?);
            return Ok(());
        };
        match self.sql.waits(&probe) {
            Some(true) => self.waited = true,
            Some(false) => self.probe = Some(probe),
            None => {}
        }
        Ok(())
    }

    fn prepare(&mut self) -> Result<(), Error> {
        let (user, peer) = (&self.settings.replication_user, &self.settings.peer.name);
        // What pg_rewind needs without being superuser ("pg_rewind", Notes), and pg_ls_waldir.
        let statements = format!(
            "do $$ begin if not exists (select from pg_roles where rolname = '{user}') then create role \"{user}\" login replication; end if; end $$;
             grant pg_monitor to \"{user}\";
             grant execute on function pg_ls_dir(text, boolean, boolean), pg_stat_file(text, boolean), pg_read_binary_file(text),
               pg_read_binary_file(text, bigint, bigint, boolean) to \"{user}\""
        );
        let Some(answer) = self.answer.clone() else { return Ok(()) };
        if self.prepared.as_ref() != Some(&answer.started) {
            self.sql.run(&statements)?;
            self.prepared = Some(answer.started.clone());
        }
        match answer.slot {
            Some(slot) if slot.lost && !slot.active => {
                self.sql.call(&format!("select pg_drop_replication_slot('{peer}')"))
            }
            None => self.sql.call(&format!("select pg_create_physical_replication_slot('{peer}', true)")),
            Some(_) => Ok(()),
        }
    }

    fn drop_slot(&mut self) -> Result<(), Error> {
        self.sql.call(&format!("select pg_drop_replication_slot('{}')", self.settings.peer.name))
    }
}

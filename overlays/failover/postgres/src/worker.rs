//! The thread: look, say what is seen, decide on one step, do it; again and again.

use std::{
    fs::File,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use geminios_failover_core::{Goal, Postgres};

use crate::{
    Error, Metrics, Moment, Phase, Report, Service, Settings, Stop,
    driver::{Inbox, Wanted},
    files,
    job::{Job, Kind},
    leader::{Leader, Need},
    plan::{Server, Step},
    report::{self, Proof},
    silence::Silence,
    sql::{Answer, Probe, Sql},
};

pub(crate) const BUSY: Duration = Duration::from_millis(20);
/// Nothing runs, and nothing is to.
const IDLE: Duration = Duration::from_secs(1);

pub(crate) struct Stopping {
    pub how: Stop,
    pub since: Instant,
}

/// A step that failed is not tried again at once.
#[derive(Default)]
pub(crate) struct Backoff {
    pub until: Option<Instant>,
    pub times: u32,
    pub said: Option<String>,
}

/// The answer to a question to the peer.
pub(crate) struct Asked {
    pub at: Instant,
    pub leader: Option<Leader>,
}

pub(crate) struct Worker {
    pub settings: Settings,
    pub service: Box<dyn Service>,
    pub inbox: Arc<Inbox>,
    pub metrics: Arc<Mutex<Metrics>>,
    report: Box<dyn Fn(Report) + Send>,
    phase: Box<dyn Fn(Moment) + Send>,
    /// Held by this driver and all that it began.
    pub lock: Option<File>,
    pub sql: Sql,
    pub aim: Wanted,
    pub server: Server,
    pub answer: Option<Answer>,
    pub silent: Option<Silence>,
    pub said: Option<Report>,
    pub may_lead: bool,
    pub stopping: Option<Stopping>,
    pub started: Option<Instant>,
    pub backoff: Backoff,
    pub job: Option<Job>,
    pub asked: Option<Asked>,
    /// The WAL receiver when the peer was last asked.
    pub asked_with: Option<i32>,
    /// A receiver that is connected to the leader of this epoch, on this timeline.
    pub confirmed: Option<(i32, u64, u32)>,
    /// Found while the server ran, for this epoch.
    pub verdict: Option<(u64, Need)>,
    pub rewound: Option<u64>,
    /// A copy was made in this epoch: another one will not help where that one does not start.
    pub copied_for: Option<u64>,
    /// The fork of before this epoch is kept.
    pub kept_for: Option<u64>,
    pub stuck: Option<Instant>,
    pub failed_starts: u32,
    /// The files say that commits wait, since the server was started; and that run of it.
    pub strict: bool,
    pub strict_run: Option<String>,
    pub promoted: Option<Instant>,
    pub configured: Option<Instant>,
    pub prepared: Option<String>,
    pub probe: Option<Probe>,
    pub waited: bool,
    pub proof: Option<Proof>,
    pub percent: Option<u8>,
    shown: Option<Phase>,
}

impl Worker {
    pub fn new(
        settings: Settings,
        service: Box<dyn Service>,
        inbox: Arc<Inbox>,
        metrics: Arc<Mutex<Metrics>>,
        report: Box<dyn Fn(Report) + Send>,
        phase: Box<dyn Fn(Moment) + Send>,
    ) -> Result<Self, Error> {
        files::make_folder(&settings.own, settings.run_as)?;
        let sql = Sql::new(&settings, inbox.wake.clone())
            .map_err(|error| Error::File(settings.own.clone(), error))?;
        Ok(Worker {
            settings,
            service,
            inbox,
            metrics,
            report,
            phase,
            lock: None,
            sql,
            aim: Wanted::default(),
            server: Server::Unready,
            answer: None,
            silent: None,
            said: None,
            may_lead: false,
            stopping: None,
            started: None,
            backoff: Backoff::default(),
            job: None,
            asked: None,
            asked_with: None,
            confirmed: None,
            verdict: None,
            rewound: None,
            kept_for: None,
            copied_for: None,
            stuck: None,
            failed_starts: 0,
            strict: false,
            strict_run: None,
            promoted: None,
            configured: None,
            prepared: None,
            probe: None,
            waited: false,
            proof: None,
            percent: None,
            shown: None,
        })
    }

    pub fn run(&mut self) {
        loop {
            let wanted = self.inbox.wanted();
            if wanted.closing {
                return;
            }
            if wanted.aim != self.aim.aim {
                self.aim = wanted;
                self.backoff = Backoff::default();
            }
            self.end_job();
            if !self.look() || self.is_overtaken() {
                continue;
            }
            self.tell();
            let step = self.step();
            if self.is_overtaken() {
                continue;
            }
            self.carry_out(step);
            self.tell();
            self.sql.pause(self.time_to_next(step));
        }
    }

    fn is_overtaken(&self) -> bool {
        let wanted = self.inbox.wanted();
        wanted.closing || wanted.aim != self.aim.aim
    }

    fn time_to_next(&self, step: Step) -> Duration {
        let long_job = self.job.as_ref().is_some_and(|job| job.kind != Kind::Ask);
        match (self.server, step) {
            _ if self.stopping.is_some() || self.promoted.is_some() => BUSY,
            (Server::Unready, _) => 3 * BUSY,
            (Server::Gone, Step::Rest) if self.job.is_none() => IDLE,
            (Server::Gone, _) if !long_job => BUSY,
            (_, Step::Rest | Step::Ask) => self.settings.limits.poll,
            _ => BUSY,
        }
    }

    pub fn epoch(&self) -> u64 {
        match self.aim.goal {
            Some(Goal::Follow { epoch } | Goal::Lead { epoch, .. }) => epoch,
            _ => 0,
        }
    }

    pub fn say(&mut self, phase: Phase) {
        if self.shown.as_ref() != Some(&phase) {
            self.shown = Some(phase.clone());
            (self.phase)(Moment::now(phase));
        }
    }

    /// Something did not work: it is said once, and tried again later.
    pub fn fail(&mut self, error: &Error) {
        let text = error.to_string();
        if self.backoff.said.as_ref() != Some(&text) {
            self.say(Phase::Failed(text.clone()));
            self.backoff.said = Some(text);
        }
        let pause = Duration::from_millis(250 << self.backoff.times.min(5));
        self.backoff.times += 1;
        self.backoff.until = Some(Instant::now() + pause);
    }

    /// Not again while the state that was said before lasts.
    pub fn say_once(&mut self, phase: Phase) {
        let streamed =
            matches!(self.said, Some(Report { postgres: Postgres::Standby { streams: true }, .. }));
        if !streamed {
            self.say(phase);
        }
    }

    /// Says what is seen if it is new, or an answer to a new goal.
    pub fn tell(&mut self) {
        let covered = self
            .answer
            .as_ref()
            .is_some_and(|answer| report::covered(answer, self.proof.as_ref(), &self.settings.peer.name))
            && matches!(self.aim.goal, Some(Goal::Lead { sync: true, .. }));
        let was = self.said.map(|said| said.postgres);
        let Some(postgres) = report::postgres(self.server, covered, was, self.may_lead) else { return };
        let report = Report { aim: self.aim.aim, postgres };
        if self.said != Some(report) {
            if postgres == (Postgres::Primary { covered: true }) && was != Some(postgres) {
                self.say(Phase::Synchronous);
            }
            self.said = Some(report);
            (self.report)(report);
        }
    }
}

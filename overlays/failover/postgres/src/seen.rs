//! What a step is decided from.

use std::time::{Duration, Instant};

use crate::{
    Phase, Stop, control,
    job::{Kind, percent},
    leader::{self, Need},
    plan::{self, Data, Leading, Seen, Server, Step},
    worker::{Stopping, Worker},
};

impl Worker {
    pub fn step(&mut self) -> Step {
        let Some(goal) = self.aim.goal else { return Step::Rest };
        let seen = self.seen();
        let step = plan::plan(goal, &seen);
        let waits = self.backoff.until.is_some_and(|until| Instant::now() < until);
        match step {
            Step::Stop(_) | Step::Abandon | Step::Configure(..) | Step::Ask => step,
            _ if waits => Step::Rest,
            step => step,
        }
    }

    fn seen(&mut self) -> Seen {
        let limits = self.settings.limits;
        if let Some(job) = self.job.as_ref().filter(|job| job.kind == Kind::Copy && !job.cancelled) {
            let percent = percent(&job.text());
            if percent.is_some() && percent != self.percent {
                self.percent = percent;
                self.say(Phase::BaseBackup { percent: percent.unwrap_or_default() });
            }
        }
        let over = |stopping: &Stopping| {
            let limit = match stopping.how {
                Stop::Fast => limits.clean,
                Stop::Immediate => limits.immediate,
                Stop::Kill => Duration::from_millis(100),
            };
            stopping.since.elapsed() >= limit
        };
        let data = self.data();
        let receiver = self.answer.as_ref().and_then(|answer| answer.receiver);
        let unconfirmed = receiver.is_some() && receiver != self.asked_with;
        Seen {
            server: self.server,
            data,
            job: self.job.as_ref().map(|job| (job.kind, job.epoch)),
            stopping: self.stopping.as_ref().map(|stopping| (stopping.how, over(stopping))),
            leading: self.leading(data),
            ask_due: unconfirmed || self.asked.as_ref().is_none_or(|asked| asked.at.elapsed() >= limits.ask),
        }
    }

    fn data(&self) -> Data {
        let data = &self.settings.data;
        if self.mark().exists() {
            Data::HalfRewound
        } else if !data.join("PG_VERSION").exists() {
            Data::Missing
        } else {
            Data::Cluster { standby: data.join("standby.signal").exists() }
        }
    }

    /// A file that is there while a rewind changes the cluster.
    pub fn mark(&self) -> std::path::PathBuf {
        self.settings.own.join("rewinding")
    }

    fn leading(&mut self, data: Data) -> Leading {
        let epoch = self.epoch();
        let Some(asked) = &self.asked else { return Leading::Unknown };
        let Some(leader) = asked.leader.as_ref().filter(|leader| leader.epoch == Some(epoch)) else {
            return Leading::Nobody;
        };
        let slot = leader.slot;
        let forced = self.verdict.filter(|(of, _)| *of == epoch).map(|(_, need)| need);
        let need = match (forced, data, self.server) {
            (Some(need), ..) => need,
            (None, Data::Cluster { .. }, Server::Gone) => {
                match control::read(&self.settings, &self.settings.data) {
                    Ok(control) => leader::need(&control, &self.settings.data, leader),
                    Err(error) => {
                        self.fail(&error);
                        Need::Copy { fork: None }
                    }
                }
            }
            (None, Data::Cluster { .. }, _) => Need::Nothing,
            (None, ..) => Need::Copy { fork: None },
        };
        Leading::There { need, slot }
    }
}

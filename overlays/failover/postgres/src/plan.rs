//! What to do next, decided from what is seen. It does nothing itself.

use geminios_failover_core::Goal;

use crate::{Stop, conf::Wait, job::Kind, leader::Need};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Data {
    Missing,
    /// Neither what it was nor what it was to become.
    HalfRewound,
    /// `standby`: it starts as one.
    Cluster {
        standby: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    /// No process of it is there.
    Gone,
    /// It starts, recovers or stops.
    Unready,
    /// It does not answer.
    Silent {
        hung: bool,
    },
    Standby(Standby),
    Primary(Primary),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standby {
    pub streams: bool,
    /// What the leader said shows that it cannot stream.
    pub need: Need,
    pub wait: Option<Wait>,
    pub epoch: Option<u64>,
    /// Commits would have waited at each instant since it started.
    pub strict: bool,
    /// It holds back log for the peer.
    pub slot: bool,
    pub promoted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Primary {
    pub wait: Option<Wait>,
    pub epoch: Option<u64>,
    /// A commit was seen to wait, and none has been let through since.
    pub proven: bool,
    pub ready: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leading {
    /// It was not asked, or too long ago.
    Unknown,
    /// No leader of this epoch answers.
    Nobody,
    /// `slot`: what is needed from now on stays there.
    There { need: Need, slot: bool },
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub server: Server,
    pub data: Data,
    pub job: Option<(Kind, u64)>,
    /// How it was told to stop, and whether the time for that is over.
    pub stopping: Option<(Stop, bool)>,
    pub leading: Leading,
    pub ask_due: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Rest,
    Stop(Stop),
    /// Ends the job.
    Abandon,
    Ask,
    /// Settings, and have them read.
    Configure(Wait, u64),
    Start {
        standby: bool,
        wait: Wait,
        epoch: u64,
    },
    Promote,
    /// See that commits wait.
    Prove,
    /// The replication user and the peer's slot.
    Prepare,
    DropSlot,
    Rewind(Need),
    Copy(Need),
    InitDb,
    NoData,
    CannotLead,
}

pub(crate) fn plan(goal: Goal, seen: &Seen) -> Step {
    if let Some((how, over)) = seen.stopping.filter(|_| seen.server != Server::Gone) {
        let wanted = if goal == (Goal::Stopped { clean: false }) { Stop::Immediate } else { how };
        return match (wanted.max(how), over) {
            (wanted, _) if wanted > how => Step::Stop(wanted),
            (Stop::Fast, true) => Step::Stop(Stop::Immediate),
            (_, true) => Step::Stop(Stop::Kill),
            _ => Step::Rest,
        };
    }
    match goal {
        Goal::Stopped { clean } => stopped(clean, seen),
        Goal::Follow { epoch } => follow(epoch, seen),
        Goal::Lead { epoch, sync } => lead(epoch, sync, seen),
    }
}

fn stopped(clean: bool, seen: &Seen) -> Step {
    match seen.server {
        Server::Gone if seen.job.is_some() => Step::Abandon,
        Server::Gone => Step::Rest,
        _ => Step::Stop(if clean { Stop::Fast } else { Stop::Immediate }),
    }
}

fn follow(epoch: u64, seen: &Seen) -> Step {
    let useful = |(kind, begun)| kind == Kind::Ask || (kind != Kind::InitDb && begun == epoch);
    if seen.job.is_some_and(|job| !useful(job)) {
        return Step::Abandon;
    }
    match seen.server {
        // The role is another's: not a moment longer.
        Server::Primary(_) => Step::Stop(Stop::Immediate),
        Server::Unready if seen.data == (Data::Cluster { standby: false }) => Step::Stop(Stop::Immediate),
        Server::Silent { hung: true } => Step::Stop(Stop::Immediate),
        Server::Standby(standby) if standby.promoted => Step::Stop(Stop::Immediate),
        Server::Standby(standby) if standby.wait != Some(Wait::Strict) || standby.epoch != Some(epoch) => {
            Step::Configure(Wait::Strict, epoch)
        }
        Server::Standby(standby) if standby.streams => {
            if standby.slot {
                Step::DropSlot
            } else {
                Step::Rest
            }
        }
        Server::Standby(_) | Server::Unready | Server::Silent { .. } if seen.job.is_some() => Step::Rest,
        Server::Standby(Standby { need: Need::Rewind { .. } | Need::Copy { .. }, .. }) => {
            Step::Stop(Stop::Immediate)
        }
        Server::Unready if matches!(seen.leading, Leading::There { need: Need::Copy { .. }, .. }) => {
            Step::Stop(Stop::Immediate)
        }
        Server::Standby(_) | Server::Unready | Server::Silent { .. } => {
            if seen.ask_due {
                Step::Ask
            } else {
                Step::Rest
            }
        }
        Server::Gone if seen.job.is_some() => Step::Rest,
        Server::Gone => follow_anew(epoch, seen),
    }
}

/// No server and no job is there.
fn follow_anew(epoch: u64, seen: &Seen) -> Step {
    let whole = matches!(seen.data, Data::Cluster { .. });
    match seen.leading {
        Leading::Unknown => Step::Ask,
        Leading::There { need: Need::Nothing, .. } | Leading::Nobody if whole => {
            Step::Start { standby: true, wait: Wait::Strict, epoch }
        }
        // Without a slot the leader may drop what the copy needs.
        Leading::There { slot: true, need: need @ Need::Rewind { .. } } if whole => Step::Rewind(need),
        Leading::There { slot: true, need } => Step::Copy(need),
        Leading::There { .. } | Leading::Nobody if seen.ask_due => Step::Ask,
        Leading::There { .. } | Leading::Nobody => Step::Rest,
    }
}

fn lead(epoch: u64, sync: bool, seen: &Seen) -> Step {
    let start = if sync { Wait::Strict } else { Wait::Nothing };
    match (seen.server, seen.job) {
        (Server::Gone, Some((Kind::InitDb, _))) if epoch == 1 => Step::Rest,
        (_, Some(_)) => Step::Abandon,
        (Server::Gone, None) => match seen.data {
            Data::Missing if epoch == 1 => Step::InitDb,
            Data::Missing => Step::NoData,
            Data::HalfRewound => Step::CannotLead,
            Data::Cluster { standby } => Step::Start { standby, wait: start, epoch },
        },
        (Server::Unready, None) => Step::Rest,
        (Server::Silent { hung }, None) => {
            if hung {
                Step::Stop(Stop::Immediate)
            } else {
                Step::Rest
            }
        }
        (Server::Standby(standby), None) => {
            // What it started with decides whether the first commit waits: a reload may reach the checkpointer late.
            let waits = !sync || (standby.strict && standby.wait != Some(Wait::Nothing));
            match standby {
                _ if !waits => Step::Stop(Stop::Fast),
                _ if standby.wait != Some(start) || standby.epoch != Some(epoch) => {
                    Step::Configure(start, epoch)
                }
                _ if standby.promoted => Step::Rest,
                _ => Step::Promote,
            }
        }
        (Server::Primary(primary), None) => {
            let wait = match (sync, primary.proven) {
                (false, _) => Wait::Nothing,
                (true, false) => Wait::Strict,
                (true, true) => Wait::Peer,
            };
            match primary {
                _ if primary.wait != Some(wait) || primary.epoch != Some(epoch) => {
                    Step::Configure(wait, epoch)
                }
                _ if sync && !primary.proven => Step::Prove,
                _ if !primary.ready => Step::Prepare,
                _ => Step::Rest,
            }
        }
    }
}

//! PostgreSQL on one machine, and the reconciler in the agent that brings it to its goal.

use std::collections::VecDeque;

use geminios_failover_core::{Goal, Postgres, Side};

use crate::disk::Log;
use crate::faults::Moment;
use crate::machine::Given;
use crate::time::{Event, MS, Micros, SECOND};
use crate::world::World;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Process {
    #[default]
    Down,
    Standby,
    Primary,
}

/// What takes its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// A primary's directory starts as a primary unless it is to follow.
    Start {
        primary: Option<(u64, bool)>,
    },
    Promote {
        epoch: u64,
        lax: bool,
    },
    Stop {
        clean: bool,
    },
    Reload {
        lax: bool,
    },
    /// pg_rewind or a base backup: the directory is of no use until it is complete.
    Copy {
        epoch: u64,
    },
}

#[derive(Default)]
pub struct Server {
    pub process: Process,
    /// Changes when a process starts, ends or is promoted.
    pub number: u64,
    pub job: Option<(u64, Job)>,
    pub jobs: u64,
    pub goal: Option<Goal>,
    /// One more with each goal, also of the next agent.
    pub goals: u64,
    told: Option<Postgres>,
    reported: Micros,
    /// The epoch in which it took writes.
    pub led: u64,
    /// Commits do not wait for the standby.
    pub lax: bool,
    pub log: Log,
    /// Its directory can be started, and was a primary's.
    pub whole: bool,
    pub was_primary: bool,
    /// Something is in its directory. If not, a leader makes it new: initdb.
    pub made: bool,
    /// Since commits wait: what is to be on the standby before all is there.
    pub covers: Option<usize>,
    pub flushed: usize,
    pub waiting: VecDeque<(usize, u32)>,
    /// It takes no more writes, being stopped.
    pub closing: bool,
    /// It does not stop until the machine is reset.
    pub hangs: bool,
    /// It does not start until then.
    pub broken: Micros,
}

impl Server {
    pub fn is_primary(&self) -> bool {
        self.process == Process::Primary
    }

    /// The agent and its children are gone; what was asked of PostgreSQL goes on.
    pub fn lose_reconciler(&mut self) {
        self.goal = None;
        self.goals += 1;
        self.told = None;
        if matches!(self.job, Some((_, Job::Copy { .. }))) {
            self.job = None;
        }
    }
}

impl World {
    pub fn set_goal(&mut self, side: Side, goal: Goal) {
        let server = &mut self.machine_mut(side).postgres;
        server.goal = Some(goal);
        server.goals += 1;
        server.told = None;
        self.reconcile(side);
    }

    /// Five times in a second, and when something is done.
    pub fn poll(&mut self, side: Side, start: u64) {
        if self.machine(side).agent.is_none() || self.machine(side).start != start {
            return;
        }
        self.look(side);
        self.after(200 * MS, Event::Poll { side, start });
    }

    /// Tells the agent what is new, and does what is next.
    fn look(&mut self, side: Side) {
        let machine = self.machine(side);
        if machine.agent.is_none() || machine.frozen || machine.paused {
            return;
        }
        self.reconcile(side);
        let seen = self.seen(side);
        let machine = self.machine_mut(side);
        if machine.postgres.told != Some(seen) {
            machine.postgres.told = Some(seen);
            let (start, given) = (machine.start, Given::Postgres(machine.postgres.goals, seen));
            // In their order.
            let due = self.time + self.between(100, 20 * MS);
            let reported = &mut self.machine_mut(side).postgres.reported;
            *reported = due.max(*reported);
            let due = *reported;
            self.queue.push(due, Event::Given { side, start, given });
        }
    }

    pub fn seen(&self, side: Side) -> Postgres {
        let server = &self.machine(side).postgres;
        match (server.process, server.goal) {
            (Process::Down, _) => Postgres::Stopped,
            (Process::Standby, Some(Goal::Follow { epoch })) => {
                Postgres::Standby { streams: self.streams(side, epoch) }
            }
            (Process::Standby, _) => Postgres::Standby { streams: false },
            (Process::Primary, _) => {
                // While a reload is under way, commits may cease to wait in the next moment.
                let sync = matches!(server.goal, Some(Goal::Lead { sync: true, .. }))
                    && !server.lax
                    && server.job.is_none();
                let covered = sync && server.covers.is_some_and(|all| server.flushed >= all);
                Postgres::Primary { covered }
            }
        }
    }

    fn begin(&mut self, side: Side, job: Job) {
        let takes = match job {
            Job::Start { .. } => self.between(200 * MS, SECOND),
            Job::Promote { .. } => self.between(100 * MS, 300 * MS),
            Job::Stop { .. } => self.between(50 * MS, 200 * MS),
            Job::Reload { .. } => self.between(20 * MS, 140 * MS),
            Job::Copy { .. } => self.between(SECOND, 5 * SECOND),
        };
        self.story(side, || format!("PostgreSQL: {job:?}"));
        let server = &mut self.machine_mut(side).postgres;
        server.jobs += 1;
        let number = server.jobs;
        server.job = Some((number, job));
        server.closing = matches!(job, Job::Stop { .. });
        if let Job::Copy { .. } = job {
            (server.whole, server.made) = (false, true);
        }
        self.after(takes, Event::Done { side, job: number });
    }

    /// One step towards the goal.
    fn reconcile(&mut self, side: Side) {
        let time = self.time;
        let server = &mut self.machine_mut(side).postgres;
        let Some(goal) = server.goal else { return };
        match (server.job, goal) {
            (Some((_, Job::Stop { clean: true })), goal) if goal != (Goal::Stopped { clean: true }) => {}
            (Some((_, Job::Copy { epoch })), goal) if goal != (Goal::Follow { epoch }) => server.job = None,
            (Some(_), _) => return,
            (None, _) => {}
        }
        let able = server.whole && time >= server.broken;
        match (goal, server.process) {
            (Goal::Stopped { .. }, Process::Down) => {}
            (Goal::Stopped { clean }, process) => {
                self.begin(side, Job::Stop { clean: clean && process == Process::Primary });
            }
            (Goal::Lead { .. }, Process::Down) if !able && server.made => {}
            (Goal::Lead { epoch, sync }, Process::Down) => {
                if !server.made {
                    (server.whole, server.was_primary, server.made) = (true, true, true);
                }
                let primary = server.was_primary.then_some((epoch, !sync));
                self.begin(side, Job::Start { primary });
            }
            (Goal::Lead { epoch, sync }, Process::Standby) => {
                self.unlink(side);
                self.begin(side, Job::Promote { epoch, lax: !sync });
            }
            (Goal::Lead { epoch, sync }, Process::Primary) => {
                server.led = epoch;
                if server.lax == sync {
                    self.begin(side, Job::Reload { lax: !sync });
                }
            }
            (Goal::Follow { .. }, Process::Primary) => self.begin(side, Job::Stop { clean: false }),
            (Goal::Follow { epoch }, Process::Down) => {
                let reaches = self.reaches_leader(side, epoch);
                if reaches && (!self.machine(side).postgres.whole || self.forked(side)) {
                    self.begin(side, Job::Copy { epoch });
                } else if able {
                    self.begin(side, Job::Start { primary: None });
                }
            }
            (Goal::Follow { epoch }, Process::Standby) => {
                if self.streams(side, epoch) {
                    return;
                }
                self.unlink(side);
                if !self.reaches_leader(side, epoch) {
                } else if self.forked(side) {
                    self.begin(side, Job::Stop { clean: false });
                } else {
                    self.link(side, epoch);
                }
            }
        }
    }

    pub fn done(&mut self, side: Side, number: u64) {
        let server = &self.machine(side).postgres;
        let Some((_, job)) = server.job.filter(|(job, _)| *job == number) else { return };
        let hangs = server.hangs && matches!(job, Job::Stop { .. });
        let ships = self.ships(side) && job == (Job::Stop { clean: true });
        if hangs || ships {
            self.after(50 * MS, Event::Done { side, job: number });
            return;
        }
        let broken = self.time < server.broken;
        let server = &mut self.machine_mut(side).postgres;
        server.job = None;
        match job {
            Job::Start { primary: _ } if broken => {}
            Job::Start { primary: None } => {
                server.process = Process::Standby;
                server.was_primary = false;
                server.number += 1;
            }
            Job::Start { primary: Some((epoch, lax)) } | Job::Promote { epoch, lax } => {
                server.become_primary(epoch, lax);
            }
            Job::Stop { .. } => self.end_postgres(side),
            Job::Reload { lax } => {
                server.lax = lax;
                server.covers = (!lax).then_some(server.log.len());
                if lax {
                    self.acknowledge(side, usize::MAX);
                }
            }
            Job::Copy { epoch } => self.copied(side, epoch),
        }
        self.story(side, || format!("PostgreSQL: done with {job:?}"));
        self.ambush(side, Moment::Postgres);
        self.look(side);
    }

    /// The whole history of the leader that is reached; nothing if it is not any more.
    fn copied(&mut self, side: Side, epoch: u64) {
        if self.reaches_leader(side, epoch) {
            let log = self.machine(side.other()).postgres.log.clone();
            let server = &mut self.machine_mut(side).postgres;
            server.log.take_from(&log);
            (server.whole, server.was_primary) = (true, false);
        }
    }

    /// The process ends, however.
    pub fn end_postgres(&mut self, side: Side) {
        let server = &mut self.machine_mut(side).postgres;
        server.process = Process::Down;
        server.number += 1;
        server.closing = false;
        server.waiting.clear();
        server.covers = None;
    }

    /// kill -9: it is seen at the next look.
    pub fn crash_postgres(&mut self, side: Side) {
        if self.machine(side).postgres.process != Process::Down {
            self.story(side, || "PostgreSQL is killed".to_owned());
            self.end_postgres(side);
            self.machine_mut(side).postgres.job = None;
        }
    }
}

impl Server {
    fn become_primary(&mut self, epoch: u64, lax: bool) {
        self.process = Process::Primary;
        self.was_primary = true;
        self.number += 1;
        (self.led, self.lax) = (epoch, lax);
        self.covers = (!lax).then_some(self.log.len());
        self.flushed = 0;
        self.waiting.clear();
    }
}

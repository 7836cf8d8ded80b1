//! Streaming from a primary to its standby, over one TCP connection.

use geminios_failover_core::Side;

use crate::postgres::Process;
use crate::time::{Event, MS, Micros, SECOND};
use crate::world::World;

#[derive(Clone, Debug)]
pub struct Link {
    pub number: u64,
    pub primary: Side,
    /// The processes at both ends.
    pub processes: [u64; 2],
    epoch: u64,
    cable: usize,
    /// So much of the history was sent.
    sent: usize,
    under_way: bool,
    bad: Option<Micros>,
}

/// TCP_USER_TIMEOUT and PostgreSQL's own timeouts.
const GIVES_UP: Micros = 2 * SECOND;

impl World {
    fn link_of(&self, standby: Side) -> Option<&Link> {
        self.link.as_ref().filter(|link| link.primary == standby.other())
    }

    pub fn streams(&self, standby: Side, epoch: u64) -> bool {
        let server = &self.machine(standby).postgres;
        let here = |link: &Link| link.epoch == epoch && link.processes[standby as usize] == server.number;
        server.process == Process::Standby && self.link_of(standby).is_some_and(here)
    }

    /// A primary of this epoch runs on the other machine, and is heard.
    pub fn reaches_leader(&self, side: Side, epoch: u64) -> bool {
        let leader = self.machine(side.other());
        let takes = leader.on && !leader.paused && leader.postgres.is_primary();
        takes && leader.postgres.led == epoch && self.network.whole(self.time).is_some()
    }

    /// It has something that the primary on the other machine has not.
    pub fn forked(&self, side: Side) -> bool {
        !self.machine(side).postgres.log.starts(&self.machine(side.other()).postgres.log)
    }

    pub fn link(&mut self, standby: Side, epoch: u64) {
        let Some(cable) = self.network.whole(self.time) else { return };
        self.links += 1;
        let (number, primary) = (self.links, standby.other());
        let sent = self.machine(standby).postgres.log.len();
        let processes = [Side::A, Side::B].map(|side| self.machine(side).postgres.number);
        self.link =
            Some(Link { number, primary, processes, epoch, cable, sent, under_way: false, bad: None });
        self.machine_mut(primary).postgres.flushed = 0;
        self.story(standby, || format!("PostgreSQL streams from epoch {epoch}, after {sent} writes"));
        let (process, later) = (processes[primary as usize], self.stream_delay());
        let told = Event::Flushed { side: primary, process, link: number, all: sent };
        self.after(later, told);
        self.after(200 * MS, Event::LinkCheck { link: number });
        self.ship();
    }

    pub fn unlink(&mut self, standby: Side) {
        if self.link_of(standby).is_some() {
            self.story(standby, || "PostgreSQL streams no more".to_owned());
            self.link = None;
        }
    }

    /// Both ends are there.
    fn linked(&self, link: &Link) -> bool {
        let (primary, standby) = (self.machine(link.primary), self.machine(link.primary.other()));
        primary.postgres.is_primary()
            && standby.postgres.process == Process::Standby
            && [Side::A, Side::B].map(|side| self.machine(side).postgres.number) == link.processes
    }

    /// What a commit on this side waits for can come.
    pub fn has_standby(&self, primary: Side) -> bool {
        let link = self.link.as_ref().filter(|link| link.primary == primary);
        link.is_some_and(|link| self.linked(link))
    }

    /// A clean stop waits for what is not on the standby yet.
    pub fn ships(&self, primary: Side) -> bool {
        let server = &self.machine(primary).postgres;
        self.has_standby(primary) && server.flushed < server.log.len()
    }

    pub fn ship(&mut self) {
        let later = self.stream_delay() + self.between(MS, 5 * MS);
        let Some(link) = self.link.as_ref().filter(|link| !link.under_way && self.linked(link)) else {
            return;
        };
        let log = &self.machine(link.primary).postgres.log;
        if log.len() == link.sent {
            return;
        }
        let (side, number, from) = (link.primary.other(), link.number, link.sent);
        let (ids, sent) = (log.after(from).to_vec(), log.len());
        if let Some(link) = &mut self.link {
            (link.sent, link.under_way) = (sent, true);
        }
        self.after(later, Event::Streamed { side, link: number, from, ids });
    }

    /// TCP sends it again until the cable is there, or gives up.
    fn stalls(&mut self, to: Side) -> bool {
        let time = self.time;
        let network = &self.network;
        self.link.as_ref().is_some_and(|link| !network.open(link.cable, to, time))
    }

    pub fn streamed(&mut self, side: Side, number: u64, from: usize, ids: Vec<u32>) {
        let Some(link) = self.link.clone().filter(|link| link.number == number) else { return };
        let standby = &self.machine(side).postgres;
        if standby.number != link.processes[side as usize] || standby.process != Process::Standby {
            return;
        }
        if self.stalls(side) {
            return self.after(100 * MS, Event::Streamed { side, link: number, from, ids });
        }
        let log = &mut self.machine_mut(side).postgres.log;
        assert_eq!(log.len(), from, "TCP keeps the order");
        ids.into_iter().for_each(|id| log.push(id));
        let all = log.len();
        if let Some(link) = &mut self.link {
            link.under_way = false;
        }
        let (primary, later) = (link.primary, self.stream_delay());
        let process = link.processes[primary as usize];
        self.after(later, Event::Flushed { side: primary, process, link: number, all });
        self.ship();
    }

    /// May come after the connection ended: it was sent before.
    pub fn flushed(&mut self, side: Side, process: u64, number: u64, all: usize) {
        let current = self.link.as_ref().is_some_and(|link| link.number == number);
        if current && self.stalls(side) {
            return self.after(100 * MS, Event::Flushed { side, process, link: number, all });
        }
        let server = &mut self.machine_mut(side).postgres;
        if server.number == process && server.is_primary() {
            if current {
                server.flushed = server.flushed.max(all);
            }
            self.acknowledge(side, all);
        }
    }

    pub fn check_link(&mut self, number: u64) {
        let Some(link) = self.link.clone().filter(|link| link.number == number) else { return };
        let heard = [Side::A, Side::B].into_iter().all(|side| self.network.open(link.cable, side, self.time))
            && [Side::A, Side::B].into_iter().all(|side| self.machine(side).on)
            && ![Side::A, Side::B].into_iter().any(|side| self.machine(side).paused);
        let since = link.bad.unwrap_or(self.time);
        // A machine that is heard says at once that a process of its is gone.
        if heard && !self.linked(&link) || !heard && self.time >= since + GIVES_UP {
            return self.unlink(link.primary.other());
        }
        if let Some(link) = &mut self.link {
            link.bad = (!heard).then_some(since);
        }
        self.after(200 * MS, Event::LinkCheck { link: number });
    }
}

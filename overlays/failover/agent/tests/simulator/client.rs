//! Clients: each write has its own number and goes where the address was last announced, or where an older announcement said. Kine
//! goes to its machine's primary without the address.

use geminios_failover_core::Side;

use crate::time::{Event, MS, SECOND};
use crate::world::World;

pub struct Client {
    writes: u32,
    /// Where the address is, for most.
    arp: Side,
}

impl Client {
    pub fn new() -> Self {
        Client { writes: 0, arp: Side::A }
    }
}

impl World {
    pub fn next_write(&mut self) {
        let id = self.client.writes;
        self.client.writes += 1;
        let (to, by_address) = match self.rng.u8(..100) {
            0..80 => (self.client.arp, true),
            80..90 => (self.client.arp.other(), true),
            _ => (self.any_side(), false),
        };
        let delay = self.between(200, 2 * MS);
        self.after(delay, Event::Write { to, id, by_address });
        let pause = self.between(40 * MS, 160 * MS);
        self.after(pause, Event::NextWrite);
    }

    /// Gratuitous ARP, which some hear late.
    pub fn announce(&mut self, side: Side) {
        let later = if self.chance(80) { self.between(0, 5 * MS) } else { self.between(0, 3 * SECOND) };
        self.after(later, Event::Arp(side));
    }

    pub fn arp(&mut self, side: Side) {
        if self.machine(side).address.is_some() {
            self.client.arp = side;
        }
    }

    pub fn write(&mut self, to: Side, id: u32, by_address: bool) {
        let machine = self.machine(to);
        let there = machine.on && machine.postgres.is_primary() && !machine.postgres.closing;
        if !there || by_address && machine.address.is_none() {
            return;
        }
        let process = machine.postgres.number;
        let flush = self.between(MS, 5 * MS);
        self.after(flush, Event::Written { side: to, process, id });
    }

    pub fn written(&mut self, side: Side, process: u64, id: u32) {
        let server = &mut self.machine_mut(side).postgres;
        if server.number != process {
            return;
        }
        server.log.push(id);
        server.waiting.push_back((server.log.len(), id));
        let lax = server.lax;
        if lax {
            self.acknowledge(side, usize::MAX);
        }
        self.ship();
    }

    /// What of the history need not wait any more is acknowledged.
    pub fn acknowledge(&mut self, side: Side, all: usize) {
        let time = self.time;
        while let Some((at, id)) = self.machine(side).postgres.waiting.front().copied()
            && at <= all
        {
            self.machine_mut(side).postgres.waiting.pop_front();
            self.story_fine(side, || format!("write {id} is acknowledged"));
            let promised = !self.writes_may_be_lost();
            self.judge.acknowledged(time, id, promised);
        }
    }
}

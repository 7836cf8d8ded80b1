//! Two cables between the machines, and somebody who records what goes over them.

use geminios_failover_core::Side;

use crate::time::{Event, MS, Micros, SECOND};
use crate::world::World;

#[derive(Default)]
pub struct Network {
    /// By cable and receiver: nothing arrives until then.
    pub cut: [[Micros; 2]; 2],
    pub loss: Micros,
    pub slow: Micros,
    pub jitter: Micros,
    pub twice: Micros,
    pub flip: Micros,
    /// Of all times, also from before a restart.
    pub recorded: Vec<Vec<u8>>,
}

const RECORDED: usize = 300;

impl Network {
    pub fn mend(&mut self) {
        *self = Network { recorded: std::mem::take(&mut self.recorded), ..Network::default() };
    }

    pub fn open(&self, cable: usize, to: Side, time: Micros) -> bool {
        time >= self.cut[cable][to as usize]
    }

    /// A cable on which both hear each other.
    pub fn whole(&self, time: Micros) -> Option<usize> {
        (0..2).find(|cable| self.open(*cable, Side::A, time) && self.open(*cable, Side::B, time))
    }
}

impl World {
    /// On both cables.
    pub fn transmit(&mut self, from: Side, bytes: &[u8]) {
        let to = from.other();
        if self.network.recorded.len() < RECORDED {
            self.network.recorded.push(bytes.to_vec());
        } else {
            let at = self.rng.usize(..RECORDED);
            self.network.recorded[at] = bytes.to_vec();
        }
        for cable in 0..2 {
            if !self.network.open(cable, to, self.time) || self.time < self.network.loss && self.chance(30) {
                continue;
            }
            let mut bytes = bytes.to_vec();
            if self.time < self.network.flip && self.chance(50) {
                let bit = self.rng.usize(..bytes.len() * 8);
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
            if self.time < self.network.twice && self.chance(50) {
                let later = self.between(MS, 2 * SECOND);
                self.after(later, Event::Datagram { to, bytes: bytes.clone() });
            }
            let delay = self.delay();
            self.after(delay, Event::Datagram { to, bytes });
        }
    }

    /// Of one packet, one way. What is delayed differently changes its order.
    pub fn delay(&mut self) -> Micros {
        let mut delay = self.between(200, 2 * MS);
        if self.time < self.network.jitter {
            delay += self.between(0, 50 * MS);
        }
        if self.time < self.network.slow {
            delay += self.between(0, 2 * SECOND);
        }
        delay
    }

    /// The same over TCP: what is lost comes later.
    pub fn stream_delay(&mut self) -> Micros {
        let lost = self.time < self.network.loss && self.chance(50);
        self.delay() + if lost { self.between(200 * MS, 800 * MS) } else { 0 }
    }

    /// Somebody sends what was once recorded, to either side.
    pub fn replay(&mut self, count: usize) {
        for _ in 0..count {
            let Some(bytes) = self.rng.choice(&self.network.recorded).cloned() else { return };
            let (to, later) = (self.any_side(), self.between(0, SECOND));
            self.after(later, Event::Datagram { to, bytes });
        }
    }

    /// Somebody sends what is none of the protocol, or the beginning of something that is.
    pub fn send_garbage(&mut self) {
        for _ in 0..5 {
            let to = self.any_side();
            let length = self.rng.usize(..1400);
            let bytes = match self.rng.choice(&self.network.recorded).cloned() {
                Some(bytes) if self.chance(50) => bytes[..length.min(bytes.len())].to_vec(),
                _ => (0..length).map(|_| self.rng.u8(..)).collect(),
            };
            self.after(MS, Event::Datagram { to, bytes });
        }
    }
}

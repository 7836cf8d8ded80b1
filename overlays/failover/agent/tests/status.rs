//! The status says that the other node is off only if that was seen, and only until it speaks again.
#![allow(clippy::unwrap_used)]

use std::convert::Infallible;

use geminios_failover::{Agent, Hands, Input, Key, Line, Told};
use geminios_failover_core::{
    By, Config, Decides, Goal, Heartbeat, Instant, Postgres, Request, Side, Stored,
};

/// Carries out nothing.
#[derive(Default)]
struct Idle {
    fences: u32,
}

impl Hands for Idle {
    type Error = Infallible;

    fn persist(&mut self, _: &[u8]) -> Result<(), Infallible> {
        Ok(())
    }

    fn send(&mut self, _: &[u8]) {}

    fn ask(&mut self, _: Request) {}

    fn fence(&mut self) {
        self.fences += 1;
    }

    fn postgres(&mut self, _: Goal) {}

    fn serve(&mut self, _: Option<u64>) {}

    fn feed(&mut self, _: Option<Instant>) {}

    fn leads(&mut self, _: u64, _: Side, _: By) {}

    fn tell(&mut self, _: Told) {}
}

fn config(decides: Decides) -> Config {
    Config {
        me: Side::B,
        decides,
        heartbeat: 250,
        promise: 2000,
        drift: 40,
        loss: 1000,
        start: 10_000,
        watchdog: 1000,
        fence_delay: 1000,
    }
}

/// The record of a pair that is whole, and led by A.
fn whole() -> Stored {
    let first = Stored::first(Side::A);
    Stored { record: geminios_failover_core::Record { number: 2, alone: false, ..first.record }, ..first }
}

/// B, a standby that has everything, and A's line to it.
struct Pair {
    b: Agent,
    hands: Idle,
    a: Line,
    number: u64,
}

impl Pair {
    fn new(decides: Decides) -> Self {
        let b = Agent::start(config(decides), Key::new([7; 32]), Some(whole()), 22, 0);
        let mut pair =
            Pair { b, hands: Idle::default(), a: Line::new(Key::new([7; 32]), Side::A, 11), number: 0 };
        // The two lines know each other after a round: what B's says is made here, as its hands send nothing.
        let mut b = Line::new(Key::new([7; 32]), Side::B, 22);
        pair.hear(0);
        let from_b = b.seal(heartbeat(1));
        let _ = pair.a.open(&from_b);
        pair.hear(10);
        assert_eq!(pair.b.status(10).heard, Some(0));
        pair.step(20, Input::Postgres(Postgres::Standby { streams: true }));
        pair
    }

    fn step(&mut self, now: Instant, input: Input<'_>) {
        self.b.step(now, input, &mut self.hands).unwrap();
    }

    fn hear(&mut self, now: Instant) {
        self.number += 1;
        let datagram = self.a.seal(heartbeat(self.number));
        self.step(now, Input::Datagram(&datagram));
    }

    fn silence(&mut self, from: Instant, to: Instant) {
        (from..to).step_by(250).for_each(|now| self.step(now, Input::Tick));
    }

    fn fenced(&self, now: Instant) -> Option<u64> {
        self.b.status(now).fenced
    }
}

fn heartbeat(number: u64) -> Heartbeat {
    let postgres = Postgres::Primary { covered: true };
    Heartbeat { boot: 0, number, answers: None, stored: whole(), postgres, consents: false, urgent: false }
}

#[test]
fn a_node_that_was_seen_to_be_off_is_fenced_until_it_speaks() {
    let mut pair = Pair::new(Decides::Fence);
    pair.silence(250, 4000);
    assert_eq!((pair.hands.fences, pair.fenced(4000)), (1, None), "asked for is not seen");
    pair.step(4100, Input::Fenced(true));
    assert_eq!(pair.fenced(4100), Some(0));
    assert_eq!(pair.b.status(4100).stored.record.leader, Side::B);
    pair.silence(4200, 9000);
    assert_eq!(pair.fenced(9100), Some(5000));
    pair.hear(9200);
    assert_eq!(pair.fenced(9200), None);
}

#[test]
fn a_fence_that_failed_or_came_too_late_is_none() {
    let mut pair = Pair::new(Decides::Fence);
    pair.silence(250, 4000);
    pair.step(4100, Input::Fenced(false));
    assert_eq!(pair.fenced(4100), None);
    let mut pair = Pair::new(Decides::Fence);
    pair.silence(250, 4000);
    // It speaks: it is not off, whatever the board says.
    pair.hear(4050);
    pair.step(4100, Input::Fenced(true));
    assert_eq!(pair.fenced(4100), None);
}

#[test]
fn leading_by_time_alone_is_no_fence() {
    let mut pair = Pair::new(Decides::Standby);
    pair.silence(250, 6000);
    let status = pair.b.status(6000);
    assert_eq!((status.stored.record.leader, status.fenced), (Side::B, None));
    // Nobody had asked for this.
    pair.step(6100, Input::Fenced(true));
    assert_eq!(pair.fenced(6100), None);
}

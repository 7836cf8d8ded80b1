//! What one node says to the other counts only from the site's other node, whole, and while it is new.
#![allow(clippy::unwrap_used)]

use geminios_failover::{Key, Line, Refused, line};
use geminios_failover_core::{Heartbeat, Postgres, Side, Stored};

const KEY: [u8; 32] = [7; 32];

/// One start of an agent, which counts what it sends.
struct Start {
    line: Line,
    number: u64,
}

impl Start {
    fn says(&mut self) -> Vec<u8> {
        self.number += 1;
        self.line.seal(heartbeat(self.number))
    }

    fn hears(&mut self, bytes: &[u8]) -> Result<Heartbeat, Refused> {
        self.line.open(bytes)
    }
}

fn start(side: Side, session: u64) -> Start {
    Start { line: Line::new(Key::new(KEY), side, session), number: 0 }
}

fn heartbeat(number: u64) -> Heartbeat {
    Heartbeat {
        boot: 0,
        number,
        answers: None,
        stored: Stored::first(Side::A),
        postgres: Postgres::Stopped,
        consents: false,
        urgent: false,
    }
}

/// Both have heard each other.
fn pair() -> (Start, Start) {
    let (mut a, mut b) = (start(Side::A, 11), start(Side::B, 22));
    meet(&mut a, &mut b);
    (a, b)
}

fn meet(a: &mut Start, b: &mut Start) {
    let _ = b.hears(&a.says());
    let _ = a.hears(&b.says());
    b.hears(&a.says()).unwrap();
    a.hears(&b.says()).unwrap();
}

#[test]
fn two_that_start_know_each_other_after_one_round() {
    let (mut a, mut b) = (start(Side::A, 11), start(Side::B, 22));
    assert_eq!(b.hears(&a.says()), Err(Refused::Unknown));
    assert_eq!(a.hears(&b.says()).unwrap().boot, 1);
    assert_eq!(b.hears(&a.says()).unwrap(), Heartbeat { boot: 1, ..heartbeat(2) });
}

#[test]
fn an_answer_names_the_session_that_it_answers() {
    let (mut a, mut b) = pair();
    let heard = b.hears(&a.says()).unwrap();
    let answer = Heartbeat { answers: Some((heard.boot, heard.number)), ..heartbeat(8) };
    assert_eq!(a.hears(&b.line.seal(answer)).unwrap().answers, Some((11, heard.number)));
    // Nobody was heard as the ninth.
    let wrong = Heartbeat { answers: Some((9, 3)), ..heartbeat(9) };
    assert_eq!(a.hears(&b.line.seal(wrong)).unwrap().answers, None);
}

#[test]
fn a_flipped_bit_is_refused_wherever_it_is() {
    let (mut a, mut b) = pair();
    let whole = b.says();
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(a.hears(&bytes), Err(Refused::Key), "bit {bit}");
    }
    a.hears(&whole).unwrap();
}

#[test]
fn what_is_cut_off_or_too_long_is_refused() {
    let (mut a, mut b) = pair();
    let whole = b.says();
    assert!(whole.len() <= line::LARGEST);
    for length in 0..whole.len() {
        assert!(matches!(a.hears(&whole[..length]), Err(Refused::Foreign | Refused::Key)), "{length} bytes");
    }
    assert_eq!(a.hears(&vec![0; line::LARGEST + 1]), Err(Refused::Foreign));
    assert_eq!(a.hears(&vec![0; line::LARGEST]), Err(Refused::Key));
}

#[test]
fn what_comes_twice_or_late_counts_once() {
    let (mut a, mut b) = pair();
    let [late, newest] = [b.says(), b.says()];
    a.hears(&newest).unwrap();
    assert_eq!(a.hears(&newest), Err(Refused::Repeated));
    assert_eq!(a.hears(&late), Err(Refused::Repeated));
    a.hears(&b.says()).unwrap();
}

#[test]
fn another_key_is_refused() {
    let (mut a, _) = pair();
    let mut other = Line::new(Key::new([8; 32]), Side::B, 22);
    assert_eq!(a.hears(&other.seal(heartbeat(5))), Err(Refused::Key));
}

#[test]
fn what_a_node_sent_itself_is_refused() {
    let (mut a, _) = pair();
    let own = a.says();
    assert_eq!(a.hears(&own), Err(Refused::Own));
}

#[test]
fn what_was_recorded_before_a_restart_is_refused_after_it() {
    let (mut a, mut b) = pair();
    let recorded = b.says();
    a.hears(&recorded).unwrap();
    let mut a = start(Side::A, 12);
    assert_eq!(a.hears(&recorded), Err(Refused::Unknown));
}

#[test]
fn what_was_recorded_before_the_other_ones_restart_is_refused_after_it() {
    let (mut a, mut b) = pair();
    let recorded = b.says();
    let mut b = start(Side::B, 23);
    meet(&mut b, &mut a);
    assert_eq!(a.hears(&recorded), Err(Refused::Ended));
    assert_eq!(a.hears(&b.says()).unwrap().boot, 2);
}

/// Both restart, and the last words of the other one's old session, which knew this one, come when its new one is known already.
#[test]
fn what_comes_late_from_before_the_other_ones_restart_does_not_become_its_session() {
    let (_, mut old) = pair();
    let mut a = start(Side::A, 12);
    let _ = old.hears(&a.says());
    let late = old.says();
    let mut b = start(Side::B, 23);
    meet(&mut b, &mut a);
    assert_eq!(a.hears(&late), Err(Refused::Unknown));
    a.hears(&b.says()).unwrap();
}

/// They come first: then the new session takes their place.
#[test]
fn a_session_that_ended_before_it_was_heard_makes_way() {
    let (mut a, mut b) = pair();
    for (old, new) in [(31, 32), (41, 42)] {
        let (mut late, mut other) = (start(Side::B, old), start(Side::A, new));
        let _ = late.hears(&other.says());
        other.hears(&late.says()).unwrap();
        let _ = late.hears(&a.says());
        (a, b) = (other, start(Side::B, old + 100));
        // Each knows the other one's old session only.
        let _ = b.hears(&a.says());
        meet(&mut b, &mut a);
    }
    assert_eq!(a.hears(&b.says()).unwrap().boot, 2);
}

/// Somebody who sends what is old does not stop the line.
#[test]
fn after_something_old_the_line_goes_on() {
    let (_, mut old) = pair();
    let recorded = old.says();
    let (mut a, mut b) = (start(Side::A, 12), start(Side::B, 23));
    meet(&mut a, &mut b);
    for _ in 0..3 {
        assert_eq!(a.hears(&recorded), Err(Refused::Unknown));
        b.hears(&a.says()).unwrap();
        a.hears(&b.says()).unwrap();
    }
}

#[test]
fn starts_are_numbered_in_their_order() {
    let (mut a, _) = pair();
    for (session, number) in [(5, 2), (900, 3), (1, 4)] {
        let mut b = start(Side::B, session);
        meet(&mut b, &mut a);
        assert_eq!(a.hears(&b.says()).unwrap().boot, number);
    }
}

#[test]
fn the_key_is_not_printed() {
    assert_eq!(format!("{:?}", Key::new(KEY)), "Key(secret)");
}

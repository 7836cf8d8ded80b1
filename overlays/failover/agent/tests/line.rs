//! What one node says to the other counts only from the site's other node, whole, and while it is new.
#![allow(clippy::unwrap_used)]

use geminios_failover::{Key, Line, Refused, line};
use geminios_failover_core::{Heartbeat, Postgres, Side, Stored};

const KEY: [u8; 32] = [7; 32];

fn start(side: Side, session: u64) -> Line {
    Line::new(Key::new(KEY), side, session)
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
fn pair() -> (Line, Line) {
    let (mut a, mut b) = (start(Side::A, 11), start(Side::B, 22));
    meet(&mut a, &mut b);
    (a, b)
}

fn meet(a: &mut Line, b: &mut Line) {
    let _ = b.open(&a.seal(heartbeat(1)));
    let _ = a.open(&b.seal(heartbeat(1)));
    b.open(&a.seal(heartbeat(2))).unwrap();
}

#[test]
fn two_that_start_know_each_other_after_one_round() {
    let (mut a, mut b) = (start(Side::A, 11), start(Side::B, 22));
    assert_eq!(b.open(&a.seal(heartbeat(1))), Err(Refused::Unknown));
    assert_eq!(a.open(&b.seal(heartbeat(1))).unwrap().boot, 1);
    assert_eq!(b.open(&a.seal(heartbeat(2))).unwrap(), Heartbeat { boot: 1, ..heartbeat(2) });
}

#[test]
fn an_answer_names_the_session_that_it_answers() {
    let (mut a, mut b) = pair();
    let heard = b.open(&a.seal(heartbeat(3))).unwrap();
    let answer = Heartbeat { answers: Some((heard.boot, heard.number)), ..heartbeat(3) };
    assert_eq!(a.open(&b.seal(answer)).unwrap().answers, Some((11, 3)));
    // Nobody was heard as the ninth.
    let wrong = Heartbeat { answers: Some((9, 3)), ..heartbeat(4) };
    assert_eq!(a.open(&b.seal(wrong)).unwrap().answers, None);
}

#[test]
fn a_flipped_bit_is_refused_wherever_it_is() {
    let (mut a, b) = pair();
    let whole = b.seal(heartbeat(5));
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(a.open(&bytes), Err(Refused::Key), "bit {bit}");
    }
    a.open(&whole).unwrap();
}

#[test]
fn what_is_cut_off_or_too_long_is_refused() {
    let (mut a, b) = pair();
    let whole = b.seal(heartbeat(5));
    assert!(whole.len() <= line::LARGEST);
    for length in 0..whole.len() {
        assert!(matches!(a.open(&whole[..length]), Err(Refused::Foreign | Refused::Key)), "{length} bytes");
    }
    assert_eq!(a.open(&vec![0; line::LARGEST + 1]), Err(Refused::Foreign));
    assert_eq!(a.open(&vec![0; line::LARGEST]), Err(Refused::Key));
}

#[test]
fn what_comes_twice_or_late_counts_once() {
    let (mut a, b) = pair();
    let [late, newest] = [5, 6].map(|number| b.seal(heartbeat(number)));
    a.open(&newest).unwrap();
    assert_eq!(a.open(&newest), Err(Refused::Repeated));
    assert_eq!(a.open(&late), Err(Refused::Repeated));
    a.open(&b.seal(heartbeat(7))).unwrap();
}

#[test]
fn another_key_is_refused() {
    let (mut a, _) = pair();
    let other = Line::new(Key::new([8; 32]), Side::B, 22);
    assert_eq!(a.open(&other.seal(heartbeat(5))), Err(Refused::Key));
}

#[test]
fn what_a_node_sent_itself_is_refused() {
    let (mut a, _) = pair();
    let own = a.seal(heartbeat(5));
    assert_eq!(a.open(&own), Err(Refused::Own));
}

#[test]
fn what_was_recorded_before_a_restart_is_refused_after_it() {
    let (mut a, b) = pair();
    let recorded = b.seal(heartbeat(5));
    a.open(&recorded).unwrap();
    let mut a = start(Side::A, 12);
    assert_eq!(a.open(&recorded), Err(Refused::Unknown));
}

#[test]
fn what_was_recorded_before_the_other_ones_restart_is_refused_after_it() {
    let (mut a, b) = pair();
    let recorded = b.seal(heartbeat(5));
    let mut b = start(Side::B, 23);
    meet(&mut b, &mut a);
    assert_eq!(a.open(&recorded), Err(Refused::Ended));
    assert_eq!(a.open(&b.seal(heartbeat(3))).unwrap().boot, 2);
}

/// Somebody who sends old datagrams does not stop the line for longer than until the next new one.
#[test]
fn after_something_old_the_line_goes_on() {
    let (_, old) = pair();
    let recorded = old.seal(heartbeat(5));
    let (mut a, mut b) = (start(Side::A, 12), start(Side::B, 23));
    meet(&mut a, &mut b);
    assert_eq!(a.open(&recorded), Err(Refused::Unknown));
    a.open(&b.seal(heartbeat(3))).unwrap();
    b.open(&a.seal(heartbeat(3))).unwrap();
}

#[test]
fn starts_are_numbered_in_their_order() {
    let (mut a, _) = pair();
    for (session, number) in [(5, 2), (900, 3), (1, 4)] {
        let mut b = start(Side::B, session);
        meet(&mut b, &mut a);
        assert_eq!(a.open(&b.seal(heartbeat(9))).unwrap().boot, number);
    }
}

#[test]
fn the_key_is_not_printed() {
    assert_eq!(format!("{:?}", Key::new(KEY)), "Key(secret)");
}

//! What is told of a failover afterwards.
#![allow(clippy::unwrap_used)]

use geminios_failover::{Timeline, Told};
use geminios_failover_core::{By, Postgres, Record, Side, Stored};

fn decided(epoch: u64, leader: Side, by: By, decided: bool) -> Told {
    let record = Record { number: epoch + 10, by, epoch, leader, alone: true };
    Told::Decided(Stored { record, decided, claim: None, empty: false })
}

fn stored(epoch: u64, decided: bool) -> Stored {
    let first = Stored::first(Side::A);
    Stored { record: Record { epoch, ..first.record }, decided, ..first }
}

const PRIMARY: Told = Told::Postgres(Postgres::Primary { covered: false });

#[test]
fn a_failover_by_fencing_step_by_step() {
    let mut line = Timeline::start(Side::B, Some(&stored(4, true)));
    let steps = [
        (1000, Told::Fencing), // of an earlier silence
        (1500, Told::PeerHeard),
        (5000, Told::PeerSilent(1000)),
        (6000, Told::Fencing),
        (6900, Told::Fenced(true)),
        (6901, decided(5, Side::B, By::Proof, true)),
        (7400, PRIMARY),
        (7450, Told::Serves(Some(5))),
        (9000, decided(5, Side::B, By::Both, true)), // together again
        (9100, Told::Serves(None)),
        (9200, PRIMARY),
        (9300, Told::Serves(Some(5))),
    ];
    for (at, told) in steps {
        line.tell(at, &told);
    }
    let [change] = line.changes() else { panic!("{line:?}") };
    assert_eq!((change.heard, change.fenced, change.by), (Some(4000), Some(6900), By::Proof));
    let phases = [
        ("silent", 1000),
        ("fencing", 1000),
        ("fenced", 900),
        ("decided", 1),
        ("promoted", 499),
        ("serves", 50),
    ];
    assert_eq!(change.phases(), phases);
}

#[test]
fn what_is_proposed_is_no_change_yet() {
    let mut line = Timeline::start(Side::A, Some(&stored(4, true)));
    line.tell(10, &decided(5, Side::B, By::Both, false));
    assert!(line.changes().is_empty());
    line.tell(20, &decided(5, Side::B, By::Both, true));
    // What this node does is not the other one's step.
    line.tell(30, &PRIMARY);
    line.tell(40, &Told::Serves(Some(5)));
    let [change] = line.changes() else { panic!("{line:?}") };
    assert_eq!((change.decided, change.promoted, change.serves), (20, None, None));
    assert!(change.phases().is_empty());
}

#[test]
fn a_start_is_no_change() {
    let mut line = Timeline::start(Side::A, Some(&stored(4, true)));
    line.tell(10, &decided(4, Side::A, By::Both, true));
    assert!(line.changes().is_empty());
    // It had heard of epoch 4 before the start, and nobody had agreed.
    let mut line = Timeline::start(Side::A, Some(&stored(4, false)));
    line.tell(10, &decided(4, Side::A, By::Both, true));
    assert_eq!(line.changes().len(), 1);
    let mut line = Timeline::start(Side::A, None);
    line.tell(10, &decided(1, Side::A, By::Person, true));
    assert_eq!(line.changes().len(), 1);
}

#[test]
fn only_the_newest_are_kept() {
    let mut line = Timeline::start(Side::A, None);
    (1..=20).for_each(|epoch| line.tell(epoch, &decided(epoch, Side::A, By::Both, true)));
    let kept: Vec<u64> = line.changes().iter().map(|change| change.epoch).collect();
    assert_eq!((kept.len(), kept[0], kept[15], line.total()), (16, 5, 20, 20));
}

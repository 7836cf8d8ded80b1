//! What a register must do, whatever keeps it.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use geminios_failover_core::{By, Record, Side};
use geminios_failover_witness::{EMPTY, Error, Held, tag};

use crate::bench::{Bench, LONG, put, record};
use crate::wire::Mode;

/// Too short for a server that hangs.
const SHORT: Duration = Duration::from_millis(300);
/// A deadline that does not hold waits for ever, or for the server's own limits.
const GUARD: Duration = Duration::from_secs(20);

pub fn a_new_one_decides_on_nobody(bench: &dyn Bench) {
    let mut client = bench.client();
    let new = client.read(LONG).unwrap();
    assert_eq!(new.record, EMPTY);
    let first = Record::first(Side::B);
    let claim = Record { number: 2, by: By::Witness, ..first };
    let refused = client.swap(new.tag, claim, LONG);
    assert!(matches!(refused, Err(Error::New { .. })), "{refused:?}");
    assert_eq!(client.read(LONG).unwrap(), new);

    let swapped = client.swap(new.tag, first, LONG).unwrap();
    assert!(swapped.done && swapped.held.record == first && swapped.held.tag != new.tag);
    assert!(client.swap(swapped.held.tag, claim, LONG).unwrap().done);
}

pub fn a_swap_needs_the_tag_and_goes_forward(bench: &dyn Bench) {
    let (mut ours, mut theirs) = (bench.client(), bench.client());
    let five = put(ours.as_mut(), 5);
    let late = theirs.swap(five.tag ^ 1, record(6), LONG).unwrap();
    assert!(!late.done && late.held == five);
    let older = theirs.swap(five.tag, record(4), LONG).unwrap();
    assert!(!older.done && older.held == five);
    // A renewal has the same record and another tag.
    let renewed = theirs.swap(five.tag, five.record, LONG).unwrap();
    assert!(renewed.done && renewed.held.record == five.record && renewed.held.tag != five.tag);
    let late = ours.swap(five.tag, record(6), LONG).unwrap();
    assert!(!late.done && late.held == renewed.held);
    assert_eq!(ours.read(LONG).unwrap(), renewed.held);
}

pub fn a_lost_answer_is_seen_with_the_next(bench: &dyn Bench) {
    let (mut ours, mut theirs) = (bench.client(), bench.client());
    for number in 1..20 {
        let before = ours.read(LONG).unwrap();
        bench.swap_and_lose(ours.as_mut(), before.tag, record(number));
        let after = ours.read(LONG).unwrap();
        assert_eq!(after.record, record(number));
        assert_ne!(after.tag, before.tag);
        assert_eq!(theirs.read(LONG).unwrap(), after);
        let again = ours.swap(before.tag, record(number + 1), LONG).unwrap();
        assert!(!again.done && again.held == after);
    }
}

/// Both always try; each tag lets one of them win.
pub fn one_wins_each_tag(bench: &dyn Bench) {
    put(bench.client().as_mut(), 1);
    let race = || {
        let mut client = bench.client();
        let (mut won, mut lost) = (Vec::new(), 0);
        let mut held = client.read(LONG).unwrap();
        while won.len() + lost < bench.swaps() {
            let Ok(swapped) = client.swap(held.tag, record(1), LONG) else {
                // A folder does not know who was first when both are quick.
                lost += 1;
                held = client.read(LONG).unwrap();
                continue;
            };
            if swapped.done {
                won.push((held.tag, swapped.held.tag))
            } else {
                lost += 1
            }
            held = swapped.held;
        }
        (won, lost)
    };
    let (ours, theirs) = std::thread::scope(|scope| {
        let (ours, theirs) = (scope.spawn(race), scope.spawn(race));
        (ours.join().unwrap(), theirs.join().unwrap())
    });
    assert!(
        !ours.0.is_empty() && !theirs.0.is_empty(),
        "no race: {} against {}",
        ours.0.len(),
        theirs.0.len()
    );
    eprintln!("won {} and {}, lost {} and {}", ours.0.len(), theirs.0.len(), ours.1, theirs.1);
    let won: Vec<_> = ours.0.iter().chain(&theirs.0).collect();
    let expected: HashSet<u64> = won.iter().map(|(expected, _)| *expected).collect();
    let new: HashSet<u64> = won.iter().map(|(_, new)| *new).collect();
    assert_eq!(expected.len(), won.len(), "a tag was won twice");
    assert_eq!(new.len(), won.len(), "a tag came twice");
}

pub fn a_restart_forgets_nothing(bench: &dyn Bench) {
    let mut client = bench.client();
    let mut tags = HashSet::new();
    for number in 1..6 {
        let held = put(client.as_mut(), number);
        assert!(tags.insert(held.tag));
        bench.restart();
        assert_eq!(bench.client().read(LONG).unwrap(), held);
        // A connection to the old one may be lost with a question, no more.
        let read = client.read(LONG).or_else(|_| client.read(LONG)).unwrap();
        assert_eq!(read, held);
    }
}

pub fn what_is_damaged_is_never_taken_for_new(bench: &dyn Bench) {
    let held = put(bench.client().as_mut(), 3);
    let good = bench.copy();
    let changes: [fn(&mut Vec<u8>); 4] = [
        Vec::clear,
        |text| text.truncate(text.len() / 2),
        |text| text.truncate(text.len() - 1),
        |text| text[20] ^= 4,
    ];
    for change in changes {
        bench.damage(&change);
        let mut client = bench.client();
        let read = client.read(LONG);
        assert!(matches!(read, Err(Error::Damaged { .. })), "{read:?}");
        let swapped = client.swap(held.tag, record(4), LONG);
        assert!(matches!(swapped, Err(Error::Damaged { .. })), "{swapped:?}");
        bench.put(&good);
        assert_eq!(bench.client().read(LONG).unwrap(), held);
    }
    bench.put(&Vec::new());
    let read = bench.client().read(LONG);
    // The service does not tell a client which of both.
    assert!(matches!(read, Err(Error::Missing { .. } | Error::Damaged { .. })), "{read:?}");
}

pub fn a_deadline_holds(bench: &dyn Bench) {
    let mut client = bench.client();
    let held = put(client.as_mut(), 1);
    bench.hang(true);
    let begun = Instant::now();
    for _ in 0..3 {
        let read = client.read(SHORT);
        assert!(matches!(read, Err(Error::Unreachable { .. })), "{read:?}");
        let swapped = client.swap(held.tag, record(2), SHORT);
        assert!(matches!(swapped, Err(Error::Unreachable { .. })), "{swapped:?}");
    }
    assert!(begun.elapsed() < GUARD);
    bench.hang(false);
    assert!(client.read(LONG).unwrap().record >= record(1));
    if let Some(wire) = bench.wire() {
        wire.set(Mode::Trickle);
        let begun = Instant::now();
        let read = client.read(SHORT);
        assert!(matches!(read, Err(Error::Unreachable { .. })), "{read:?}");
        assert!(begun.elapsed() < GUARD / 2);
        wire.set(Mode::Pass);
    }
}

pub fn a_stranger_is_refused(bench: &dyn Bench) {
    let held = put(bench.client().as_mut(), 1);
    let mut stranger = bench.stranger().unwrap();
    let read = stranger.read(LONG);
    assert!(matches!(read, Err(Error::Refused { .. })), "{read:?}");
    let swapped = stranger.swap(held.tag, record(2), LONG);
    assert!(matches!(swapped, Err(Error::Refused { .. })), "{swapped:?}");
    assert_eq!(bench.client().read(LONG).unwrap(), held);
}

pub fn a_repeated_question_does_nothing(bench: &dyn Bench) {
    let wire = bench.wire().unwrap();
    let mut client = bench.client();
    let one = put(client.as_mut(), 1);
    let two = client.swap(one.tag, record(2), LONG).unwrap().held;
    let carried_out = wire.last().question;
    assert!(carried_out.starts_with(b"P"), "a POST or PUT");
    wire.repeat(&carried_out);
    assert_eq!(client.read(LONG).unwrap(), two);

    // One that was held back is carried out once, if nobody swapped meanwhile: the core counts on no less.
    wire.set(Mode::LoseQuestion);
    assert!(client.swap(two.tag, record(3), LONG).is_err());
    let held_back = wire.last().question;
    wire.set(Mode::Pass);
    assert_eq!(client.read(LONG).unwrap(), two);
    wire.repeat(&held_back);
    let three = client.read(LONG).unwrap();
    assert_eq!(three.record, record(3));
    for question in [&held_back, &carried_out] {
        wire.repeat(question);
        assert_eq!(client.read(LONG).unwrap(), three);
    }

    wire.set(Mode::LoseQuestion);
    assert!(client.swap(three.tag, record(4), LONG).is_err());
    let too_late = wire.last().question;
    wire.set(Mode::Pass);
    let five = put(bench.client().as_mut(), 5);
    wire.repeat(&too_late);
    assert_eq!(client.read(LONG).unwrap(), five);
}

pub fn a_repeated_answer_is_not_believed(bench: &dyn Bench) {
    let wire = bench.wire().unwrap();
    let mut client = bench.client();
    put(client.as_mut(), 1);
    let old = client.read(LONG).unwrap();
    let old_answer = wire.last().answer;
    let new = put(client.as_mut(), 2);
    wire.set(Mode::Replay(old_answer));
    let read = client.read(LONG);
    assert!(matches!(read, Err(Error::Refused { .. } | Error::SetBack { .. })), "{read:?} {old:?}");
    wire.set(Mode::Pass);
    assert_eq!(client.read(LONG).unwrap(), new);
}

/// A backup is put back while both nodes run: they notice, and the leader mends it.
pub fn an_old_state_is_noticed_and_mended(bench: &dyn Bench) {
    let (mut leader, mut standby) = (bench.client(), bench.client());
    let old = put(leader.as_mut(), 1);
    let backup = bench.copy();
    let mut tags: Vec<u64> = (2..8).map(|number| put(leader.as_mut(), number).tag).collect();
    let newest = standby.read(LONG).unwrap();
    bench.put(&backup);

    let set_back =
        |read: Result<Held, Error>| assert!(matches!(read, Err(Error::SetBack { .. })), "{read:?}");
    for _ in 0..2 {
        set_back(leader.read(LONG));
        set_back(leader.swap(newest.tag, record(8), LONG).map(|swapped| swapped.held));
        set_back(standby.read(LONG));
    }
    // One that was not there has no way to know.
    assert_eq!(bench.client().read(LONG).unwrap(), old);

    leader.take_what_is_there();
    assert_eq!(leader.read(LONG).unwrap(), old);
    let mended = leader.swap(old.tag, newest.record, LONG).unwrap();
    assert!(mended.done && tag::count(mended.held.tag) > tag::count(newest.tag));
    assert_eq!(standby.read(LONG).unwrap(), mended.held);
    tags.push(mended.held.tag);

    // Clients that saw nothing of it count on from the old number; the tags are others.
    bench.put(&backup);
    tags.extend((2..8).map(|number| put(bench.client().as_mut(), number).tag));
    let different: HashSet<u64> = tags.iter().copied().collect();
    assert_eq!(different.len(), tags.len(), "{tags:x?}");
}

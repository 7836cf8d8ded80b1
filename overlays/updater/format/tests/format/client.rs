//! The client alone: time, the kept state, bounds, and what it says to people.

use std::cell::RefCell;

use geminios_update_format::metadata::RoleName;
use geminios_update_format::time::DAY;
use geminios_update_format::{Client, Error, Kind, State, Step};

use crate::made::{Files, NOW, Plan, date, refresh, refresh_by};

fn kind<T: std::fmt::Debug>(result: Result<T, Error>) -> Kind {
    result.unwrap_err().kind()
}

#[test]
fn it_asks_for_one_file_after_the_other_and_never_for_more_than_its_bound() {
    let (files, mut state) = Plan::new().repository();
    let mut client = Client::start(state.clone(), NOW, 0);
    let mut asked = Vec::new();
    let mut step = client.step();
    while let Step::Fetch(fetch) = step {
        asked.push((fetch.name.clone(), fetch.max_length, fetch.hashes.is_some(), fetch.optional));
        step = match files.get(&format!("metadata/{}", fetch.name)) {
            Some(bytes) => client.take(bytes).unwrap(),
            None => client.absent().unwrap(),
        };
    }
    let length = |name: &str| files[&format!("metadata/{name}")].len() as u64;
    let expected = [
        ("2.root.json", 128 << 10, false, true),
        ("timestamp.json", 16 << 10, false, false),
        ("1.snapshot.json", length("1.snapshot.json"), true, false),
        ("1.targets.json", length("1.targets.json"), true, false),
    ];
    assert_eq!(
        asked,
        expected.map(|(name, length, hashes, optional)| (name.to_owned(), length, hashes, optional))
    );
    // After the end there is nothing more.
    assert_eq!(kind(client.take(b"{}")), Kind::Over);
    assert_eq!(kind(client.absent()), Kind::Over);
    // Every next file longer than its bound is refused before it is read.
    for (name, length, ..) in asked {
        let long = vec![b' '; length as usize + 1];
        let server = |asked: &str| {
            if asked == name { Some(long.clone()) } else { files.get(&format!("metadata/{asked}")).cloned() }
        };
        let refusal = kind(refresh_by(&server, &mut state, NOW));
        assert!(matches!(refusal, Kind::TooLong | Kind::Length), "{name}: {refusal:?}");
    }
}

#[test]
fn a_listed_length_above_the_bound_is_no_permission() {
    let (mut files, mut state) = Plan::new().repository();
    let long = vec![b' '; (64 << 10) + 1];
    let plan = Plan::new();
    let header = plan.header(2);
    let mut timestamp = geminios_update_format::write::timestamp(&header, (2, &long)).unwrap();
    crate::made::Pair::new(2).sign(&mut timestamp);
    files.insert("metadata/timestamp.json".to_owned(), timestamp.unfinished());
    files.insert("metadata/2.snapshot.json".to_owned(), long);
    assert_eq!(kind(refresh(&files, &mut state, NOW)), Kind::TooLong);
}

#[test]
fn a_clock_of_1970_is_no_error_and_the_floor_counts() {
    let plan = Plan::new();
    let (files, mut state) = plan.repository();
    assert_eq!(state.floor(), plan.issued);
    refresh(&files, &mut state, 0).unwrap();
    // A month later the same copy is offered to a device whose clock stands at 1970, but that has seen newer metadata.
    let mut later = plan.clone();
    (later.version, later.issued, later.expires) = (2, NOW + 40 * DAY, NOW + 60 * DAY);
    let mut newer = files.clone();
    later.root(2, Some(&plan), &mut newer);
    later.publish(&mut newer);
    refresh(&newer, &mut state, 0).unwrap();
    assert_eq!(state.floor(), NOW + 40 * DAY);
    let mut stale = plan.clone();
    (stale.version, stale.expires) = (3, NOW + 30 * DAY);
    let mut frozen = newer.clone();
    stale.publish(&mut frozen);
    let refusal = refresh(&frozen, &mut state, 0).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "timestamp.json: expired on 2026-12-27T12:00:00Z; the clock says 1970-01-01T00:00:00Z, the latest signed time is \
         2027-01-06T12:00:00Z, which counts\n  help: publish newer metadata, or copy the repository again"
    );
}

#[test]
fn the_build_time_is_a_floor_too() {
    let (files, state) = Plan::new().repository();
    let mut client = Client::start(state, 0, NOW + 31 * DAY);
    assert!(files.contains_key("metadata/timestamp.json"));
    assert_eq!(kind(client.absent()), Kind::Expired);
}

#[test]
fn a_clock_of_2099_is_named_and_leaves_no_trace() {
    let (files, mut state) = Plan::new().repository();
    refresh(&files, &mut state, NOW).unwrap();
    let before = state.clone();
    let refusal = refresh(&files, &mut state, date("2099-01-01T00:00:00Z")).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "1.root.json: expired on 2026-12-27T12:00:00Z; the clock says 2099-01-01T00:00:00Z, the latest signed time is \
         2026-11-26T12:00:00Z\n  help: the clock is probably wrong: set it, and try again; nothing was changed"
    );
    assert_eq!(state, before);
    refresh(&files, &mut state, NOW).unwrap();
}

#[test]
fn the_clock_never_raises_the_floor() {
    let (files, mut state) = Plan::new().repository();
    refresh(&files, &mut state, NOW + 29 * DAY).unwrap();
    assert_eq!(state.floor(), NOW - DAY);
}

#[test]
fn the_floor_does_not_fall_with_a_later_version() {
    let mut plan = Plan::new();
    let (mut files, mut state) = plan.repository();
    plan.version = 2;
    plan.issued += DAY / 2;
    plan.publish(&mut files);
    refresh(&files, &mut state, NOW).unwrap();
    (plan.version, plan.issued) = (3, NOW - 5 * DAY);
    plan.publish(&mut files);
    assert_eq!(refresh(&files, &mut state, NOW).unwrap().floor(), NOW - DAY / 2);
}

#[test]
fn a_signed_time_far_ahead_is_forgotten_with_its_key() {
    let plan = Plan::new();
    let (mut files, mut state) = plan.repository();
    let mut wrong = plan.clone();
    (wrong.version, wrong.issued, wrong.expires) =
        (2, date("2098-01-01T00:00:00Z"), date("2099-01-01T00:00:00Z"));
    wrong.publish(&mut files);
    // Its root is judged by that time too, so the run ends; what was signed is believed nevertheless.
    assert_eq!(kind(refresh(&files, &mut state, NOW)), Kind::Expired);
    assert_eq!(state.floor(), date("2098-01-01T00:00:00Z"));
    let mut right = plan.clone();
    right.version = 3;
    right.publish(&mut files);
    assert_eq!(kind(refresh(&files, &mut state, NOW)), Kind::Expired);
    // As with versions (5.3.11): new keys.
    right.roles.get_mut(&RoleName::Timestamp).unwrap().0[0] = 50;
    right.root(2, Some(&plan), &mut files);
    right.version = 4;
    right.publish(&mut files);
    refresh(&files, &mut state, NOW).unwrap();
    assert_eq!(state.floor(), NOW - DAY);
}

#[test]
fn a_time_of_issue_after_the_expiry_is_refused() {
    let mut plan = Plan::new();
    plan.issued = plan.expires;
    let refusal = geminios_update_format::write::timestamp(&plan.header(1), (1, b"x")).unwrap_err();
    assert_eq!(refusal.kind(), Kind::Malformed);
}

#[test]
fn a_cut_after_any_step_loses_nothing() {
    let plan = Plan::new();
    let (mut files, state) = plan.repository();
    let mut rotated = plan.clone();
    rotated.roles.insert(RoleName::Root, (vec![9], 1));
    rotated.root(2, Some(&plan), &mut files);
    rotated.version = 2;
    rotated.publish(&mut files);
    for served in 0..6 {
        let mut kept = state.clone();
        let left = RefCell::new(served);
        let server = |name: &str| {
            let bytes = files.get(&format!("metadata/{name}"))?;
            // After so many files the link breaks in the middle of one.
            let cut = *left.borrow() == 0;
            *left.borrow_mut() -= i32::from(!cut);
            Some(if cut { bytes[..bytes.len() / 2].to_vec() } else { bytes.clone() })
        };
        assert_eq!(refresh_by(&server, &mut kept, NOW).is_ok(), served >= 4, "{served}");
        assert_eq!(refresh(&files, &mut kept, NOW).unwrap().targets_version(), 2, "{served}");
    }
}

#[test]
fn an_id_that_goes_to_another_key_does_not_keep_versions() {
    // Key ids are free texts. That the state keeps keys, not ids, is seen where an id changes its owner.
    let (files, mut state) = Plan::new().repository();
    refresh(&files, &mut state, NOW).unwrap();
    let text = String::from_utf8(state.to_bytes()).unwrap();
    let key = crate::made::Pair::new(2).public();
    assert!(text.contains(&format!("{key:?}")));
    assert!(!text[text.find("\"snapshot\":{").unwrap()..].contains(&key.id().0));
}

#[test]
fn a_damaged_state_is_refused() {
    let (files, mut state) = Plan::new().repository();
    refresh(&files, &mut state, NOW).unwrap();
    let bytes = state.to_bytes();
    for cut in 0..bytes.len() - 1 {
        assert!(State::parse(&bytes[..cut]).is_err(), "{cut}");
    }
    let text = String::from_utf8(bytes).unwrap();
    for (from, to) in [("\"format\":1", "\"format\":2"), ("\"format\"", "\"x\""), ("\"issued\"", "\"x\"")] {
        assert_eq!(kind(State::parse(text.replacen(from, to, 1).as_bytes())), Kind::Malformed, "{from}");
    }
}

#[test]
fn what_people_read() {
    let (files, state) = Plan::new().repository();
    let told = |change: &dyn Fn(&mut Files)| {
        let mut files = files.clone();
        change(&mut files);
        refresh(&files, &mut state.clone(), NOW).unwrap_err().to_string()
    };
    let path = "metadata/timestamp.json".to_owned();
    let replaced = |from: &str, to: &str| {
        let text = String::from_utf8(files[&path].clone()).unwrap();
        told(&|files| {
            files.insert(path.clone(), text.replace(from, to).into_bytes());
        })
    };
    assert_eq!(
        told(&|files| {
            files.remove(&path);
        }),
        "timestamp.json: not there\n  help: check the address of the repository; if it is right, copy the repository as a whole"
    );
    assert_eq!(
        replaced("\"version\":1}}", "\"version\":2}}"),
        "timestamp.json: 0 of 1 needed signatures are valid for role timestamp of root version 1; one more is by a key that is \
         not of this role, or does not fit\n  help: have it signed with enough keys of that role; if keys were rotated, publish \
         every root version between"
    );
    assert_eq!(
        replaced("\"version\":1", "\"version\":\"\\u001b[2J\""),
        "timestamp.json: meta.snapshot.json.version: expected a whole number of at least 1, seen \"\\u{1b}[2J\"\n  help: the \
         file is damaged or not of this format; fetch it again, or publish it anew"
            .replace("meta.snapshot.json", "signed"),
    );
}

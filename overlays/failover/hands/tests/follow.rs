//! The site's own program: told of the newest leader, whatever it does itself.
#![allow(clippy::unwrap_used)]

#[path = "shared/script.rs"]
mod script;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use geminios_failover_hands::Tell;
use geminios_failover_hands::follow::Follow;
use script::{is_gone, script};

const LONG: Duration = Duration::from_secs(600);
const ADDRESS: [u8; 4] = [10, 9, 0, 1];

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_secs(120), "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn follow(program: &Path, deadline: Duration) -> (Follow, Arc<Mutex<Vec<String>>>) {
    let said = Arc::new(Mutex::new(Vec::new()));
    let tell: Tell = {
        let said = Arc::clone(&said);
        Arc::new(move |line: &str| said.lock().unwrap().push(line.to_owned()))
    };
    (Follow::new(program, deadline, tell).unwrap(), said)
}

fn notes(folder: &Path) -> String {
    fs::read_to_string(folder.join("notes")).unwrap_or_default()
}

#[test]
fn it_is_told_once_for_each_leader() {
    let folder = tempfile::tempdir().unwrap();
    let (follow, said) = follow(&script(folder.path(), "echo \"$@\" >>notes"), LONG);
    follow.lead(3, ADDRESS.into(), true, "witness");
    until("told", || follow.is_told());
    follow.lead(3, ADDRESS.into(), true, "witness");
    follow.lead(4, [10, 9, 0, 2].into(), false, "witness");
    until("told", || follow.is_told());
    // What is older than what was said before is late, not new.
    follow.lead(3, ADDRESS.into(), true, "witness");
    assert!(follow.is_told());
    drop(follow);
    assert_eq!(notes(folder.path()), "lead 3 10.9.0.1 witness\nfollow 4 10.9.0.2 witness\n");
    assert_eq!(*said.lock().unwrap(), [""; 0]);
}

#[test]
fn it_is_tried_again_until_it_succeeds() {
    let folder = tempfile::tempdir().unwrap();
    let text = "echo \"$@\" >>notes; echo no luck >&2; test $(wc -l <notes) = 3";
    let (follow, said) = follow(&script(folder.path(), text), LONG);
    follow.lead(1, ADDRESS.into(), true, "witness");
    until("told", || follow.is_told());
    assert_eq!(notes(folder.path()), "lead 1 10.9.0.1 witness\n".repeat(3));
    let said = said.lock().unwrap();
    assert_eq!(said.len(), 2);
    assert!(said[0].ends_with("script: exit status: 1: no luck; trying again in 1 s"), "{said:?}");
}

#[test]
fn the_newest_wins_and_an_older_run_is_killed_with_its_children() {
    let folder = tempfile::tempdir().unwrap();
    let text = "test $2 = 1 || exec touch told; sleep 1000 & echo $! >child; echo $$ >parent; wait";
    let (follow, said) = follow(&script(folder.path(), text), LONG);
    let begin = Instant::now();
    follow.lead(1, ADDRESS.into(), true, "witness");
    let child = folder.path().join("child");
    let parent = folder.path().join("parent");
    until("it hangs", || fs::read_to_string(&parent).is_ok_and(|id| id.ends_with('\n')));
    assert!(!is_gone(&child) && !is_gone(&parent));
    follow.lead(2, ADDRESS.into(), false, "witness");
    until("told", || follow.is_told());
    assert!(folder.path().join("told").exists());
    until("both are gone", || is_gone(&child) && is_gone(&parent));
    assert!(begin.elapsed() < LONG);
    assert_eq!(*said.lock().unwrap(), [""; 0], "nothing is wrong with it");
}

#[test]
fn one_that_hangs_is_killed_at_its_deadline_and_run_again() {
    let folder = tempfile::tempdir().unwrap();
    let text = "test -e once && exit 0; touch once; exec sleep 1000";
    let (follow, said) = follow(&script(folder.path(), text), Duration::from_secs(1));
    follow.lead(1, ADDRESS.into(), true, "witness");
    until("told", || follow.is_told());
    let said = said.lock().unwrap();
    assert!(said[0].contains("killed after 1 s"), "{said:?}");
}

#[test]
fn an_agent_that_ends_takes_it_along() {
    let folder = tempfile::tempdir().unwrap();
    let (follow, _) = follow(&script(folder.path(), "echo $$ >parent; exec sleep 1000"), LONG);
    follow.lead(1, ADDRESS.into(), true, "witness");
    let parent = folder.path().join("parent");
    until("it hangs", || fs::read_to_string(&parent).is_ok_and(|id| id.ends_with('\n')));
    let begin = Instant::now();
    drop(follow);
    assert!(begin.elapsed() < Duration::from_secs(60));
    until("gone", || is_gone(&parent));
}

#[test]
fn one_that_is_not_there_may_come() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("script");
    let (follow, said) = follow(&path, LONG);
    follow.lead(1, ADDRESS.into(), true, "witness");
    until("it is said", || !said.lock().unwrap().is_empty());
    assert!(said.lock().unwrap()[0].contains("cannot be run: No such file or directory"));
    script(folder.path(), "touch told");
    until("told", || follow.is_told());
    assert!(folder.path().join("told").exists());
}

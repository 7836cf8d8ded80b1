//! A program of the site's that does whatever it likes.

use std::time::{Duration, Instant};

use geminios_failover_hands::Cancel;
use geminios_failover_hands::fence::{Command, Fence, Outcome, Power};

use crate::script::{is_gone, script};

const LONG: Duration = Duration::from_secs(120);

fn sh(text: &str) -> Command {
    Command::new("/bin/sh", ["-c", text, "fence"])
}

fn off(command: &Command, deadline: Duration) -> Outcome {
    let attempt = command.off(deadline, &Cancel::new().unwrap());
    assert_eq!(attempt.phases.len(), 1);
    attempt.outcome
}

#[test]
fn each_ending_means_one_thing() {
    let cases = [
        ("exit 0", Outcome::SeenOff),
        ("exit 1", Outcome::Failed("/bin/sh off says that the other node is not off: ".to_owned())),
        (
            "echo 'PDU  does'; echo not >&2; exit 2",
            Outcome::Unknown("/bin/sh off ended with 2: not PDU does".to_owned()),
        ),
        ("exit 127", Outcome::Unknown("/bin/sh off ended with 127: ".to_owned())),
        ("kill -9 $$", Outcome::Unknown("/bin/sh off was ended by signal: 9 (SIGKILL): ".to_owned())),
        ("test $1 = off && test $FENCE_SECONDS = 120", Outcome::SeenOff),
    ];
    for (text, outcome) in cases {
        assert_eq!(off(&sh(text), LONG), outcome, "{text}");
    }
    let missing = Command::new("/nonexistent/fence", [""; 0]);
    assert!(matches!(off(&missing, LONG), Outcome::Unknown(why) if why.contains("cannot be run")));
}

#[test]
fn its_state_is_asked_for_without_switching() {
    let cancel = Cancel::new().unwrap();
    let state = |text: &str| sh(text).state(LONG, &cancel);
    assert_eq!(state("test $1 = state"), Power::Off);
    assert_eq!(state("exit 1"), Power::On);
    assert!(matches!(state("exit 2"), Power::Unknown(_)));
}

#[test]
fn one_that_hangs_is_killed_with_its_children() {
    let folder = tempfile::tempdir().unwrap();
    let text = "sleep 1000 & echo $! >child; echo $$ >parent; wait";
    let command = Command::new(script(folder.path(), text), [""; 0]);
    let outcome = off(&command, Duration::from_secs(2));
    assert!(
        matches!(&outcome, Outcome::Unknown(why) if why.contains("was killed: it ran for 2 s")),
        "{outcome:?}"
    );
    let begin = Instant::now();
    while !(is_gone(&folder.path().join("child")) && is_gone(&folder.path().join("parent"))) {
        assert!(begin.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_child_left_behind_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    // It has the output open, and goes on when its parent is gone.
    let command = Command::new(script(folder.path(), "sleep 1000 & echo $! >child"), [""; 0]);
    let begin = Instant::now();
    assert_eq!(off(&command, LONG), Outcome::SeenOff);
    assert!(begin.elapsed() < LONG);
    while !is_gone(&folder.path().join("child")) {
        assert!(begin.elapsed() < LONG);
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn one_that_talks_without_end_is_cut_and_still_heard() {
    let outcome = off(&sh("head -c 300000 /dev/zero | tr '\\0' x; exit 1"), LONG);
    assert!(matches!(&outcome, Outcome::Failed(why) if why.len() < 400), "{outcome:?}");
    let outcome = off(&sh("exec yes"), Duration::from_secs(1));
    assert!(
        matches!(&outcome, Outcome::Unknown(why) if why.len() < 400 && why.contains("killed")),
        "{outcome:?}"
    );
}

#[test]
fn it_can_be_cancelled() {
    let cancel = Cancel::new().unwrap();
    let from = cancel.clone();
    let canceller = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        from.cancel();
    });
    let begin = Instant::now();
    let attempt = sh("exec sleep 1000").off(2 * LONG, &cancel);
    assert!(matches!(&attempt.outcome, Outcome::Unknown(why) if why.contains("not wanted any more")));
    assert!(begin.elapsed() < LONG);
    canceller.join().unwrap();
}

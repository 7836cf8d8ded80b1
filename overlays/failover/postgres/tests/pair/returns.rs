//! A leader is lost, and comes back.

use geminios_failover_postgres::{Goal, Phase};

use crate::node::{COVERED, Node, PRIMARY, STOPPED, STREAMS, covered_pair};

/// Writes rows until told otherwise; those that were acknowledged.
fn acknowledged(node: &Node, rows: std::ops::Range<i32>) -> Vec<i32> {
    rows.filter(|row| node.try_sql(&format!("insert into t values ({row})")).is_ok()).collect()
}

/// Lets the leader write what its standby never gets.
fn fork(leader: &Node, row: i32) {
    leader.sql(&format!("set synchronous_commit = local; insert into t values ({row})"));
}

#[test]
fn what_a_killed_leader_acknowledged_is_there_and_its_fork_is_kept_and_rewound() {
    let Some((_folder, mut a, mut b)) = covered_pair() else { return };
    let rows = acknowledged(&a, 1..30);
    assert_eq!(rows.len(), 29);
    a.driver = None;
    a.kill();
    b.aim(Goal::Lead { epoch: 2, sync: false });
    b.until(PRIMARY);
    assert_eq!(b.rows(), rows);
    b.sql("insert into t values (100)");
    assert_eq!(b.driver.as_ref().unwrap().metrics().timeline, Some(2));

    a.begin();
    a.aim(Goal::Follow { epoch: 2 });
    a.until(STREAMS);
    assert!(a.had(|phase| *phase == Phase::Rewound), "{:?}", a.phases());
    assert!(!a.had(|phase| matches!(phase, Phase::BaseBackup { .. })));
    assert_eq!(a.forks().len(), 1);
    b.aim(Goal::Lead { epoch: 2, sync: true });
    b.until(COVERED);
    a.wait("the new rows", || a.rows().last() == Some(&100));
}

#[test]
fn a_fork_is_kept_for_audit_before_it_is_erased() {
    let Some((_folder, mut a, mut b)) = covered_pair() else { return };
    b.aim(Goal::Stopped { clean: false });
    b.until(STOPPED);
    fork(&a, 66);
    a.driver = None;
    a.kill();
    b.aim(Goal::Lead { epoch: 2, sync: false });
    b.until(PRIMARY);
    assert_eq!(b.rows(), [0; 0]);

    a.begin();
    a.aim(Goal::Follow { epoch: 2 });
    a.until(STREAMS);
    a.wait("no row of the fork", || a.rows().is_empty());
    let forks = a.forks();
    assert_eq!(forks.len(), 1, "{forks:?}");
    let kept = |name: &str| forks[0].join(name);
    assert!(kept("pg_control").exists());
    let note = std::fs::read_to_string(kept("note.txt")).unwrap();
    assert!(note.contains("timeline 1\n") && note.contains("whole true"), "{note}");
    // The row that was erased is in the log that was kept.
    let mut logs: Vec<_> = std::fs::read_dir(&forks[0]).unwrap().map(|entry| entry.unwrap().path()).collect();
    logs.retain(|path| path.file_name().unwrap().len() == 24);
    logs.sort();
    let from = note.lines().find_map(|line| line.strip_prefix("from ")).unwrap().to_owned();
    let dump = std::process::Command::new(a.settings.binaries.join("pg_waldump"))
        .args(["--start", &from, "--path"])
        .arg(&forks[0])
        .args(["--timeline", "1"])
        .output()
        .unwrap();
    let dump = String::from_utf8_lossy(&dump.stdout).into_owned();
    assert!(dump.contains("INSERT") && dump.contains("COMMIT"), "{dump}");
}

#[test]
fn a_clean_hand_over_needs_no_rewind() {
    let Some((_folder, mut a, mut b)) = covered_pair() else { return };
    let rows = acknowledged(&a, 1..10);
    a.aim(Goal::Stopped { clean: true });
    a.until(STOPPED);
    b.aim(Goal::Lead { epoch: 2, sync: true });
    a.aim(Goal::Follow { epoch: 2 });
    a.until(STREAMS);
    b.until(COVERED);
    assert_eq!(b.rows(), rows);
    let copied =
        |phase: &Phase| matches!(phase, Phase::Rewinding | Phase::BaseBackup { .. } | Phase::KeepingFork);
    assert!(!a.had(copied), "{:?}", a.phases());
    // And back.
    b.sql("insert into t values (50)");
    b.aim(Goal::Stopped { clean: true });
    b.until(STOPPED);
    a.aim(Goal::Lead { epoch: 3, sync: true });
    b.aim(Goal::Follow { epoch: 3 });
    a.until(COVERED);
    assert!(!b.had(copied), "{:?}", b.phases());
    assert_eq!(a.rows().last(), Some(&50));
}

/// A peer that leads an epoch of before, because its driver is dead, is no leader to take the history of.
#[test]
fn nobody_follows_a_leader_of_another_epoch() {
    let Some((_folder, a, mut b)) = covered_pair() else { return };
    b.kill();
    b.aim(Goal::Follow { epoch: 3 });
    b.until(geminios_failover_postgres::Postgres::Standby { streams: false });
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert!(!b.seen().contains(&STREAMS), "it streams from the leader of epoch 1");
    assert_eq!(a.now(), Some(COVERED));
}

//! No commit is acknowledged without the standby, unless the goal says so.

use std::{process::Child, thread::sleep, time::Duration};

use geminios_failover_postgres::{Goal, Phase};

use crate::node::{COVERED, Node, PRIMARY, STOPPED, STREAMS, covered_pair, pair, returns, waits};

#[test]
fn a_new_site_becomes_a_pair() {
    let Some((_folder, mut a, mut b)) = pair() else { return };
    a.aim(Goal::Lead { epoch: 1, sync: false });
    a.until(PRIMARY);
    assert!(a.had(|phase| *phase == Phase::Initializing));
    a.sql("create table t (n int primary key); insert into t values (1)");
    b.aim(Goal::Follow { epoch: 1 });
    b.until(STREAMS);
    assert!(b.had(|phase| *phase == Phase::BaseBackupDone));
    assert!(!a.seen().contains(&COVERED), "nothing waits yet");
    a.aim(Goal::Lead { epoch: 1, sync: true });
    a.until(COVERED);
    a.sql("insert into t values (2)");
    assert_eq!(a.sql("select sync_state from pg_stat_replication"), "sync");
    b.wait("the row", || b.rows() == [1, 2]);
    let metrics = a.driver.as_ref().unwrap().metrics();
    assert!(metrics.sync && metrics.timeline == Some(1) && metrics.standby_flushed.is_some(), "{metrics:?}");
}

#[test]
fn a_commit_waits_while_the_standby_is_dead_until_the_leader_may_go_on_alone() {
    let Some((_folder, mut a, b)) = covered_pair() else { return };
    drop(b);
    a.until(PRIMARY);
    let mut commit = a.begin_sql("insert into t values (1)");
    waits(&mut commit);
    a.aim(Goal::Lead { epoch: 1, sync: false });
    returns(commit);
    assert!(a.had(|phase| *phase == Phase::Alone));
    a.sql("insert into t values (2)");
    assert_eq!(a.now(), Some(PRIMARY));
}

/// Tries to insert until it is let in.
fn first_commit(node: &Node, row: i32) -> Child {
    loop {
        let mut commit = node.begin_sql(&format!("insert into t values ({row})"));
        sleep(Duration::from_millis(100));
        match commit.try_wait().unwrap() {
            Some(ended) if !ended.success() => {}
            _ => return commit,
        }
    }
}

#[test]
fn a_leader_that_starts_again_acknowledges_nothing_without_the_standby() {
    let Some((_folder, mut a, mut b)) = covered_pair() else { return };
    b.aim(Goal::Stopped { clean: false });
    b.until(STOPPED);
    a.kill();
    // From the first instant on that it takes connections.
    let mut commits: Vec<_> = (0..12).map(|row| first_commit(&a, row)).collect();
    a.until(PRIMARY);
    sleep(Duration::from_secs(1));
    for (row, commit) in commits.iter_mut().enumerate() {
        // One that was slow to connect came too early.
        if commit.try_wait().unwrap().is_some_and(|ended| !ended.success()) {
            *commit = first_commit(&a, row as i32);
        }
    }
    commits.iter_mut().for_each(waits);
    assert_eq!(a.now(), Some(PRIMARY), "covered without a standby");
    b.aim(Goal::Follow { epoch: 1 });
    a.until(COVERED);
    commits.into_iter().for_each(returns);
    assert_eq!(a.rows().len(), 12);
    a.aim(Goal::Stopped { clean: true });
    a.until(STOPPED);
}

/// The checkpointer tells the backends whether commits wait; stopped, it stands for one that hangs in a long fsync. The settings
/// read back well, the standby is "sync", and commits pass all the same.
#[test]
fn covered_is_not_said_before_commits_are_seen_to_wait() {
    let Some((_folder, mut a, mut b)) = pair() else { return };
    a.aim(Goal::Lead { epoch: 1, sync: false });
    a.until(PRIMARY);
    a.sql("create table t (n int primary key)");
    b.aim(Goal::Follow { epoch: 1 });
    b.until(STREAMS);
    let checkpointer: i32 =
        a.sql("select pid from pg_stat_activity where backend_type = 'checkpointer'").parse().unwrap();
    let signal = |signal| {
        rustix::process::kill_process(rustix::process::Pid::from_raw(checkpointer).unwrap(), signal).unwrap();
    };
    signal(rustix::process::Signal::STOP);
    a.aim(Goal::Lead { epoch: 1, sync: true });
    a.wait("the settings", || !a.sql("show synchronous_standby_names").is_empty());
    sleep(Duration::from_secs(2));
    b.aim(Goal::Stopped { clean: false });
    b.until(STOPPED);
    // This one passes, so all that time it was no leader whose commits wait.
    a.sql("insert into t values (1)");
    assert!(!a.seen().contains(&COVERED), "covered, and a commit passed without the standby");
    signal(rustix::process::Signal::CONT);
    b.aim(Goal::Follow { epoch: 1 });
    a.until(COVERED);
}

#[test]
fn who_is_promoted_to_wait_waits_from_its_first_commit_on() {
    let Some((_folder, mut a, mut b)) = covered_pair() else { return };
    a.aim(Goal::Stopped { clean: true });
    a.until(STOPPED);
    b.aim(Goal::Lead { epoch: 2, sync: true });
    b.until(PRIMARY);
    let mut commit = b.begin_sql("insert into t values (1)");
    waits(&mut commit);
    a.aim(Goal::Follow { epoch: 2 });
    b.until(COVERED);
    returns(commit);
    a.until(STREAMS);
}

/// ALTER SYSTEM has precedence over the driver's file, and a base backup brings the leader's.
#[test]
fn who_overrides_the_wait_is_overruled() {
    let Some((_folder, mut a, mut b)) = covered_pair() else { return };
    a.aim(Goal::Lead { epoch: 1, sync: true });
    a.until(COVERED);
    a.sql("alter system set synchronous_commit = local");
    a.sql("select pg_reload_conf()");
    a.until(PRIMARY);
    a.sql("alter system reset synchronous_commit");
    a.sql("alter role postgres set synchronous_commit = off");
    a.sql("select pg_reload_conf(), pg_sleep(1)");
    assert_eq!(a.now(), Some(PRIMARY), "a role's commits do not wait");
    // It must not be forgotten by the kill below, as what such a role commits is.
    a.sql("set synchronous_commit = on; alter role postgres reset synchronous_commit");
    a.until(COVERED);
    b.aim(Goal::Stopped { clean: false });
    b.until(STOPPED);
    a.sql("alter system set synchronous_standby_names = ''");
    let starts = || a.phases().iter().filter(|phase| **phase == Phase::Starting { standby: false }).count();
    let before = starts();
    a.kill();
    a.wait("the new start", || starts() > before);
    a.until(PRIMARY);
    waits(&mut a.begin_sql("insert into t values (7)"));
}

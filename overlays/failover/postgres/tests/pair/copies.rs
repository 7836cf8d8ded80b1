//! Data that cannot follow is rewound or made anew, and no interruption leaves a node with less than it had.

use std::{fs, thread::sleep, time::Duration};

use geminios_failover_postgres::{Goal, Phase, Postgres};

use crate::node::{COVERED, Node, PRIMARY, STOPPED, STREAMS, Site, covered_pair, initdb};

const WAITS_FOREVER: &str = "exec sleep 100000";

/// `b` leads epoch 2 and has gone on; `a` has a fork, no process, and no driver.
pub fn forked_pair() -> Option<(Site, Node, Node)> {
    let (folder, mut a, mut b) = covered_pair()?;
    b.aim(Goal::Stopped { clean: false });
    b.until(STOPPED);
    a.sql("set synchronous_commit = local; insert into t values (66)");
    a.driver = None;
    a.kill();
    b.aim(Goal::Lead { epoch: 2, sync: false });
    b.until(PRIMARY);
    b.sql("insert into t values (1)");
    b.wait("the slot", || b.sql("select count(*) from pg_replication_slots") == "1");
    Some((folder, a, b))
}

fn followed(a: &Node) {
    a.until(STREAMS);
    a.wait("the leader's rows and no others", || a.rows() == [1]);
}

#[test]
fn where_the_log_for_a_rewind_is_gone_a_base_backup_is_made() {
    let Some((_folder, mut a, _b)) = forked_pair() else { return };
    // What pg_rewind says when the target's log does not reach back to the fork.
    a.replace(
        "pg_rewind",
        "echo 'pg_rewind: error: could not find previous WAL record at 0/3000028' >&2; exit 1",
    );
    a.begin();
    a.aim(Goal::Follow { epoch: 2 });
    followed(&a);
    assert!(a.had(|phase| *phase == Phase::BaseBackupDone), "{:?}", a.phases());
    assert_eq!(a.forks().len(), 1);
}

#[test]
fn a_half_rewound_cluster_never_starts() {
    let Some((_folder, mut a, mut b)) = forked_pair() else { return };
    let damage = "echo 'pg_rewind: rewinding from last common checkpoint at 0/3000060 on timeline 1'; rm -r $DATA/base/1; ";
    a.replace("pg_rewind", &format!("{damage} {WAITS_FOREVER}"));
    a.begin();
    a.aim(Goal::Follow { epoch: 2 });
    a.wait("the damage", || !a.settings.data.join("base/1").exists());
    // Something else is wanted.
    a.aim(Goal::Lead { epoch: 3, sync: false });
    a.until_phase(
        "a refusal",
        |phase| matches!(phase, Phase::Failed(why) if why.contains("rewind was interrupted")),
    );
    assert_eq!(a.seen(), [STOPPED]);
    // A new driver knows it too.
    a.begin();
    b.aim(Goal::Stopped { clean: false });
    b.until(STOPPED);
    a.aim(Goal::Follow { epoch: 2 });
    sleep(Duration::from_secs(4));
    assert_eq!(a.seen(), [STOPPED], "half rewound, and called a standby");
    b.aim(Goal::Lead { epoch: 2, sync: false });
    followed(&a);
    assert!(
        !a.seen().contains(&Postgres::Standby { streams: true })
            || a.had(|phase| *phase == Phase::BaseBackupDone)
    );
}

#[test]
fn a_rewind_that_changed_nothing_is_given_up_without_harm() {
    let Some((_folder, mut a, _b)) = forked_pair() else { return };
    a.replace("pg_rewind", WAITS_FOREVER);
    a.begin();
    a.aim(Goal::Follow { epoch: 2 });
    a.until_phase("the rewind", |phase| *phase == Phase::Rewinding);
    a.wait("its mark", || a.settings.own.join("rewinding").exists());
    sleep(Duration::from_millis(500));
    a.aim(Goal::Stopped { clean: false });
    a.wait("no mark", || !a.settings.own.join("rewinding").exists());
    // It was a leader's, and must now begin a timeline of its own, should it lead.
    assert!(a.settings.data.join("standby.signal").exists());
    a.restore("pg_rewind");
    a.aim(Goal::Follow { epoch: 2 });
    followed(&a);
    assert!(a.had(|phase| *phase == Phase::Rewound), "{:?}", a.phases());
}

#[test]
fn a_base_backup_gives_way_to_another_goal_and_the_old_data_is_whole() {
    let Some((_folder, a, mut b)) = covered_pair() else { return };
    a.sql("insert into t values (1)");
    b.aim(Goal::Stopped { clean: true });
    b.until(STOPPED);
    // As if the leader had not kept enough of its log.
    b.driver = None;
    fs::write(b.settings.own.join("rewinding"), "").unwrap();
    b.begin();
    b.replace("pg_basebackup", "exec $REAL --max-rate=32k \"$@\"");
    b.aim(Goal::Follow { epoch: 1 });
    b.wait("a part of the copy", || b.settings.own.join("new").exists());
    sleep(Duration::from_secs(1));
    b.aim(Goal::Stopped { clean: false });
    b.wait("the end of it", || !b.settings.own.join("new").exists());
    assert!(b.seen().iter().all(|seen| *seen == STOPPED));
    assert!(b.settings.data.join("PG_VERSION").exists());
    b.restore("pg_basebackup");
    b.aim(Goal::Follow { epoch: 1 });
    b.until(STREAMS);
    a.until(COVERED);
    assert_eq!(b.rows(), [1]);
}

#[test]
fn a_standby_that_fell_too_far_behind_is_made_anew_by_itself() {
    let Some((_folder, mut a, mut b)) = covered_pair() else { return };
    b.aim(Goal::Stopped { clean: false });
    b.until(STOPPED);
    a.aim(Goal::Lead { epoch: 1, sync: false });
    a.until(PRIMARY);
    // More than the slot may keep, in several files.
    for _ in 0..8 {
        a.sql("select pg_logical_emit_message(false, 'x', repeat('x', 1000000)) from generate_series(1, 12)");
        a.sql("select pg_switch_wal()");
        a.sql("checkpoint");
    }
    a.sql("insert into t values (5)");
    a.wait("a new slot", || a.sql("select wal_status = 'lost' from pg_replication_slots") != "t");
    b.aim(Goal::Follow { epoch: 1 });
    b.until(STREAMS);
    assert!(b.had(|phase| *phase == Phase::BaseBackupDone), "{:?}", b.phases());
    b.wait("the row", || b.rows() == [5]);
    assert!(b.forks().is_empty(), "nothing of it was its own");
}

#[test]
fn a_copy_of_another_cluster_is_replaced() {
    let Some((_folder, a, mut b)) = covered_pair() else { return };
    a.sql("insert into t values (1)");
    b.aim(Goal::Stopped { clean: false });
    b.until(STOPPED);
    b.driver = None;
    fs::rename(&b.settings.data, b.settings.socket.join("was")).unwrap();
    initdb(&b.settings.data);
    b.begin();
    b.aim(Goal::Follow { epoch: 1 });
    followed(&b);
    assert!(b.had(|phase| *phase == Phase::BaseBackupDone), "{:?}", b.phases());
    assert_eq!(b.forks().len(), 1);
}

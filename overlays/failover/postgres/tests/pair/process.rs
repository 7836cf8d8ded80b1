//! A driver in a process of its own, which is killed with all that it began.

use std::{
    fs,
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use geminios_failover_postgres::{Goal, Phase};

use crate::{
    copies::forked_pair,
    node::{Node, PRIMARY, STOPPED, STREAMS, covered_pair},
};

/// Not a test: what the others run. Follows epoch 2 with the node of this folder until it is killed.
#[test]
fn driver_process() {
    let Some(place) = std::env::var_os("GEMINIOS_TEST_NODE") else { return };
    let place = place.into_string().unwrap();
    let [folder, name, peer, own, theirs, epoch] = place.split(' ').collect::<Vec<_>>()[..] else {
        panic!("{place}")
    };
    let ports = (own.parse().unwrap(), theirs.parse().unwrap());
    let mut node = Node::at(folder.as_ref(), name, peer, ports).unwrap();
    node.begin();
    node.aim(Goal::Follow { epoch: epoch.parse().unwrap() });
    loop {
        sleep(Duration::from_secs(1));
    }
}

fn driver_of(node: &Node, epoch: u64) -> Child {
    let settings = &node.settings;
    let place = format!(
        "{} {} {} {} {} {epoch}",
        settings.socket.display(),
        settings.name,
        settings.peer.name,
        settings.port,
        settings.peer.port
    );
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "process::driver_process"]).env("GEMINIOS_TEST_NODE", place);
    command.stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn().unwrap()
}

/// Kills it and all of its descendants.
fn kill_tree(mut driver: Child) {
    let mut doomed = vec![driver.id() as i32];
    let mut at = 0;
    while at < doomed.len() {
        let task = format!("/proc/{0}/task", doomed[at]);
        for thread in fs::read_dir(task).into_iter().flatten().flatten() {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            doomed.extend(children.split_whitespace().map(|pid| pid.parse::<i32>().unwrap()));
        }
        at += 1;
    }
    for pid in doomed {
        let _ = rustix::process::kill_process(
            rustix::process::Pid::from_raw(pid).unwrap(),
            rustix::process::Signal::KILL,
        );
    }
    driver.wait().unwrap();
}

const DAMAGE: &str = "echo 'pg_rewind: rewinding from last common checkpoint at 0/3000060 on timeline 1'; rm -r $DATA/base/1; sleep 100000";

#[test]
fn killed_in_the_middle_of_a_rewind_it_is_made_anew() {
    let Some((_folder, mut a, _b)) = forked_pair() else { return };
    a.replace("pg_rewind", DAMAGE);
    let driver = driver_of(&a, 2);
    a.wait("the damage", || !a.settings.data.join("base/1").exists());
    kill_tree(driver);
    a.restore("pg_rewind");
    a.begin();
    a.aim(Goal::Follow { epoch: 2 });
    a.until(STREAMS);
    assert_eq!(a.seen()[0], STOPPED);
    assert!(a.had(|phase| *phase == Phase::BaseBackupDone), "{:?}", a.phases());
    a.wait("the leader's rows", || a.rows() == [1]);
}

#[test]
fn killed_in_the_middle_of_a_base_backup_the_old_data_is_there() {
    let Some((_folder, mut a, _b)) = forked_pair() else { return };
    a.replace("pg_rewind", "exit 1");
    a.replace("pg_basebackup", "exec $REAL --max-rate=32k \"$@\"");
    let driver = driver_of(&a, 2);
    a.wait("a part of the copy", || a.settings.own.join("new/base").exists());
    kill_tree(driver);
    assert!(a.settings.data.join("PG_VERSION").exists());
    // It can lead still, should nobody else be left.
    a.begin();
    a.aim(Goal::Lead { epoch: 3, sync: false });
    a.until(PRIMARY);
    assert_eq!(a.rows(), [66]);
    assert!(!a.settings.own.join("new").exists());
}

/// The driver is dead, and what it began is not: nobody else touches the data until that has ended.
#[test]
fn what_a_dead_driver_began_is_waited_for() {
    let Some((_folder, mut a, _b)) = forked_pair() else { return };
    a.replace("pg_rewind", "echo $$ > $OWN/pid; exec sleep 100000");
    let mut driver = driver_of(&a, 2);
    let pid = || fs::read_to_string(a.settings.own.join("pid")).ok()?.trim().parse::<i32>().ok();
    a.wait("the rewind", || pid().is_some());
    let rewind = rustix::process::Pid::from_raw(pid().unwrap()).unwrap();
    driver.kill().unwrap();
    driver.wait().unwrap();
    a.restore("pg_rewind");
    a.begin();
    a.aim(Goal::Follow { epoch: 2 });
    a.until_phase(
        "another one at work",
        |phase| matches!(phase, Phase::Failed(why) if why.contains("another driver")),
    );
    sleep(Duration::from_secs(1));
    assert_eq!(a.seen(), [STOPPED]);
    rustix::process::kill_process(rewind, rustix::process::Signal::KILL).unwrap();
    a.until(STREAMS);
}

/// PostgreSQL does not end with its driver, and the next one finds it.
#[test]
fn a_new_driver_goes_on_with_a_server_that_runs() {
    let Some((_folder, mut a, mut b)) = covered_pair() else { return };
    let before = (a.postmaster(), b.postmaster());
    a.begin();
    b.begin();
    b.aim(Goal::Follow { epoch: 1 });
    a.aim(Goal::Lead { epoch: 1, sync: true });
    b.until(STREAMS);
    a.until(crate::node::COVERED);
    assert_eq!((a.postmaster(), b.postmaster()), before);
    assert!(!a.seen().contains(&STOPPED) && !b.seen().contains(&STOPPED));
}

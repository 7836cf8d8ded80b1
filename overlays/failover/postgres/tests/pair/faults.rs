//! Servers that hang, and disks that are full.

use std::{fs, process::Command, thread::sleep, time::Duration};

use geminios_failover_postgres::{Goal, Phase, Service, Stop};
use rustix::process::{Pid, Signal, kill_process};

use crate::node::{COVERED, Node, PRIMARY, STOPPED, STREAMS, covered_pair, own, pair};

/// The postmaster and all its children.
fn freeze(node: &Node) -> Vec<Pid> {
    let main = node.postmaster();
    let children = fs::read_to_string(format!("/proc/{main}/task/{main}/children")).unwrap();
    let pids = std::iter::once(main).chain(children.split_whitespace().map(|pid| pid.parse().unwrap()));
    let pids: Vec<_> = pids.map(|pid| Pid::from_raw(pid).unwrap()).collect();
    for pid in &pids {
        kill_process(*pid, Signal::STOP).unwrap();
    }
    pids
}

#[test]
fn a_server_that_hangs_is_not_called_stopped_and_an_immediate_stop_ends_it() {
    let Some((_folder, mut a, _b)) = covered_pair() else { return };
    freeze(&a);
    a.until(PRIMARY);
    sleep(Duration::from_secs(3));
    assert_eq!(a.now(), Some(PRIMARY));
    a.aim(Goal::Stopped { clean: false });
    a.until(STOPPED);
    let said = a.seen();
    assert!(said[..said.len() - 1].iter().all(|said| *said == PRIMARY), "{said:?}");
    assert!(!a.service().is_running().unwrap());
    assert!(a.had(|phase| *phase == Phase::Stopping(Stop::Kill)));
}

/// The postmaster is dead, and a backend is not: stopped, it stands for one that hangs in the disk.
#[test]
fn as_long_as_one_backend_lives_it_is_not_stopped() {
    let Some((_folder, a, _b)) = covered_pair() else { return };
    let backend: i32 =
        a.sql("select pid from pg_stat_activity where backend_type = 'walwriter'").parse().unwrap();
    let (backend, main) = (Pid::from_raw(backend).unwrap(), Pid::from_raw(a.postmaster()).unwrap());
    kill_process(backend, Signal::STOP).unwrap();
    kill_process(main, Signal::KILL).unwrap();
    sleep(Duration::from_secs(4));
    assert!(!a.seen().contains(&STOPPED), "a backend lives");
    assert!(!a.had(|phase| matches!(phase, Phase::Starting { .. })), "started beside a living backend");
    kill_process(backend, Signal::CONT).unwrap();
    a.wait("the new start", || a.had(|phase| matches!(phase, Phase::Starting { .. })));
    a.until(COVERED);
}

#[test]
fn a_leader_that_hangs_is_started_again() {
    let Some((_folder, a, _b)) = covered_pair() else { return };
    freeze(&a);
    a.until_phase("the hang", |phase| *phase == Phase::Hung);
    a.until_phase("the new start", |phase| *phase == Phase::Starting { standby: false });
    a.until(COVERED);
}

#[test]
fn an_immediate_stop_overtakes_a_clean_one_that_hangs() {
    let Some((_folder, mut a, b)) = covered_pair() else { return };
    // A clean stop waits for a standby that takes nothing.
    freeze(&b);
    a.sql("set synchronous_commit = local; insert into t values (1)");
    a.aim(Goal::Stopped { clean: true });
    sleep(Duration::from_secs(2));
    assert!(!a.seen().contains(&STOPPED), "{:?}", a.phases());
    a.aim(Goal::Stopped { clean: false });
    a.until(STOPPED);
    b.kill();
}

#[test]
fn a_start_gives_way_to_a_stop() {
    let Some((_folder, mut a, mut b)) = covered_pair() else { return };
    b.aim(Goal::Stopped { clean: false });
    b.until(STOPPED);
    for _ in 0..5 {
        b.aim(Goal::Follow { epoch: 1 });
        sleep(Duration::from_millis(400));
        b.aim(Goal::Stopped { clean: false });
        b.until(STOPPED);
        assert!(!b.service().is_running().unwrap());
    }
    b.aim(Goal::Follow { epoch: 1 });
    b.until(STREAMS);
    a.aim(Goal::Lead { epoch: 1, sync: true });
    a.until(COVERED);
}

/// On a small tmpfs, so as root only.
#[test]
fn a_full_disk_stops_the_leader_and_room_starts_it_again() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let Some((site, mut a, mut b)) = pair() else { return };
    let folder = site.folder.path();
    let data = folder.join("a/own");
    // Data and the driver's folder are one file system.
    a.driver = None;
    let small = folder.join("small");
    fs::create_dir(&small).unwrap();
    let mounted =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=160m", "tmpfs"]).arg(&small).status().unwrap();
    if !mounted.success() {
        eprintln!("skipped: no tmpfs may be mounted");
        return;
    }
    let _mount = Mount(small.clone());
    own(&small);
    let _ = fs::remove_dir_all(&data);
    for name in ["own", "data"] {
        let _ = fs::remove_dir_all(folder.join("a").join(name));
        std::os::unix::fs::symlink(small.join(name), folder.join("a").join(name)).unwrap();
    }
    a.settings.data = small.join("data");
    a.settings.own = small.join("own");
    a.begin();
    a.aim(Goal::Lead { epoch: 1, sync: false });
    a.until(PRIMARY);
    a.sql("create table t (n int primary key)");
    b.aim(Goal::Follow { epoch: 1 });
    b.until(STREAMS);
    a.aim(Goal::Lead { epoch: 1, sync: true });
    a.until(COVERED);
    a.sql("insert into t values (0)");
    fs::write(small.join("ballast"), vec![0; 300 << 20]).unwrap_err();
    // PostgreSQL ends when it cannot write its log.
    let mut rows = vec![0];
    for row in 1..200 {
        let _ = a.try_sql("select pg_logical_emit_message(false, 'x', repeat('x', 4000000))");
        if a.try_sql(&format!("insert into t values ({row})")).is_ok() {
            rows.push(row);
        }
        if a.seen().contains(&STOPPED) {
            break;
        }
    }
    a.wait("its end", || a.seen().contains(&STOPPED));
    sleep(Duration::from_secs(2));
    fs::remove_file(small.join("ballast")).unwrap();
    a.until(COVERED);
    let there = a.rows();
    assert!(rows.iter().all(|row| there.contains(row)), "{rows:?} {there:?}");
    b.until(STREAMS);
    a.driver = None;
    a.kill();
}

struct Mount(std::path::PathBuf);

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

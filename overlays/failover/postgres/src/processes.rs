//! Which processes of a cluster live. postmaster.pid does not tell: it is left behind by a kill, and backends outlive a killed
//! postmaster, for as long as they hang in the disk.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// The server processes of the cluster in this folder. Each has it as its working folder (postmaster, backends and
/// `postgres --single`). Zombies have none: they hold nothing any more.
pub(crate) fn living(data: &Path) -> Vec<Pid> {
    let Ok(folder) = fs::metadata(data) else { return Vec::new() };
    let Ok(list) = fs::read_dir("/proc") else { return Vec::new() };
    let numbers = list.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    numbers.filter_map(Pid::from_raw).filter(|pid| belongs(*pid, &folder)).collect()
}

fn belongs(pid: Pid, folder: &fs::Metadata) -> bool {
    let proc = PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()));
    if !is_server(&proc) {
        return false;
    }
    match fs::metadata(proc.join("cwd")) {
        Ok(cwd) => (cwd.dev(), cwd.ino()) == (folder.dev(), folder.ino()),
        // Somebody else's server, or one of ours that may not be looked at: only who cannot be told apart counts.
        Err(error) => {
            error.kind() == std::io::ErrorKind::PermissionDenied
                && fs::metadata(&proc).is_ok_and(|there| there.uid() == folder.uid())
        }
    }
}

fn is_server(proc: &Path) -> bool {
    let by_exe = fs::read_link(proc.join("exe"))
        .is_ok_and(|exe| exe.file_name().is_some_and(|name| name.to_string_lossy().starts_with("postgres")));
    by_exe || fs::read_to_string(proc.join("comm")).is_ok_and(|name| name.trim_end() == "postgres")
}

/// Processor time that they have used up: proc_pid_stat(5), fields 14 and 15.
pub(crate) fn work(data: &Path) -> Duration {
    let ticks = |pid: Pid| -> Option<u64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
        // The name before it may hold anything.
        let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
        Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
    };
    let sum: u64 = living(data).into_iter().filter_map(ticks).sum();
    Duration::from_millis(sum * 1000 / rustix::param::clock_ticks_per_second().max(1))
}

/// Whether processes are attached to the shared memory that postmaster.pid names: what PostgreSQL itself looks at before a start.
/// proc_sysvipc(5); the 7th line of postmaster.pid is key and id (`miscinit.c`, `pidfile.h`).
pub(crate) fn memory_in_use(data: &Path) -> bool {
    let id = fs::read_to_string(data.join("postmaster.pid"))
        .ok()
        .and_then(|text| text.lines().nth(6)?.split_whitespace().nth(1).map(str::to_owned));
    let (Some(id), Ok(table)) = (id, fs::read_to_string("/proc/sysvipc/shm")) else { return false };
    table.lines().skip(1).any(|line| {
        let column: Vec<_> = line.split_whitespace().collect();
        column.get(1) == Some(&id.as_str()) && column.get(6).is_some_and(|attached| *attached != "0")
    })
}

/// Nothing of this cluster runs: its files may be touched.
pub(crate) fn gone(data: &Path) -> bool {
    living(data).is_empty() && !memory_in_use(data)
}

/// Kills all of them, the postmaster first, so that it starts no new ones. Who hangs in the disk stays until that lets go.
pub(crate) fn kill(data: &Path) {
    let Ok(folder) = fs::metadata(data) else { return };
    let first = postmaster(data);
    let mut pids = living(data);
    pids.sort_by_key(|pid| Some(*pid) != first);
    for pid in pids {
        // By a descriptor: the number may be another process's by now.
        let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
        if belongs(pid, &folder) {
            let _ = pidfd_send_signal(&handle, Signal::KILL);
        }
    }
}

/// The postmaster, if it lives.
pub(crate) fn postmaster(data: &Path) -> Option<Pid> {
    let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let pid = Pid::from_raw(text.lines().next()?.trim().parse().ok()?)?;
    living(data).contains(&pid).then_some(pid)
}

/// Signals the postmaster, if it lives.
pub(crate) fn signal(data: &Path, signal: Signal) {
    let Some(pid) = postmaster(data) else { return };
    let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { return };
    if postmaster(data) == Some(pid) {
        let _ = pidfd_send_signal(&handle, signal);
    }
}

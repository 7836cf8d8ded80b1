//! The cluster's data as it was before an update: a dump of Kine's database, from which `pg_restore` makes it anew.
//!
//! A dump has neither indexes nor dead rows, so it is much smaller than a copy of the cluster's files, and a PostgreSQL of
//! any later major reads it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use geminios_update_format::time;

use crate::config::shown;
use crate::image::Data;
use crate::machine::{Command, Host};
use crate::supply::Tell;

/// Snapshots that are kept, the new one included.
const KEPT: usize = 2;
/// Bytes of /var that stay free for PostgreSQL itself.
const MARGIN: u64 = 64 << 20;
const ENDING: &str = ".dump";

/// Takes one, if the image keeps a cluster in PostgreSQL. `needed` is whether an update without it is refused.
///
/// # Errors
/// There is none, and why; the remedy is in it.
pub fn take(host: &Host, data: Option<Data>, version: &str, needed: bool, tell: &Tell) -> Result<(), String> {
    if data.is_none_or(|data| data.postgresql == 0 || data.kine_schema == 0) {
        tell("no snapshot: this image keeps no cluster in PostgreSQL");
        return Ok(());
    }
    match dump(host, version) {
        Ok((file, size)) => {
            tell(&format!("snapshot of the cluster's data: {}, {}", file.display(), shown(size)));
            Ok(())
        }
        Err(problem) if !needed => {
            tell(&format!("no snapshot of the cluster's data, as --force allows: {problem}"));
            Ok(())
        }
        Err(problem) => Err(format!(
            "no snapshot of the cluster's data: {problem}\n  help: see `systemctl status postgresql`; --force installs without one"
        )),
    }
}

fn dump(host: &Host, version: &str) -> Result<(PathBuf, u64), String> {
    let folder = host.paths.state().join("snapshots");
    let failed =
        |verb: &str, path: &Path, error: std::io::Error| format!("cannot {verb} {}: {error}", path.display());
    fs::create_dir_all(&folder).map_err(|error| failed("make", &folder, error))?;
    make_room(host, &folder)?;
    let time = time::format(host.clock.now()).replace(['-', ':'], "");
    let file = folder.join(format!("before-{version}-{time}{ENDING}"));
    let temporary = folder.join("new");
    let pg_dump = Command::new("pg_dump", Duration::from_secs(1800))
        .args(&["--host=/run/postgresql", "--username=postgres", "--no-password", "--lock-wait-timeout=60s"])
        .args(&["--format=custom", "--compress=1", "--dbname=kine", "--file"])
        .arg(&temporary);
    let outcome = host.commands.run(&pg_dump);
    if !outcome.is_success() {
        let _ = fs::remove_file(&temporary);
        return Err(format!("pg_dump: {}", outcome.told_first()));
    }
    let keep = || {
        let written = File::open(&temporary)?;
        written.sync_all()?;
        fs::rename(&temporary, &file)?;
        File::open(&folder)?.sync_all()?;
        Ok(written.metadata()?.len())
    };
    let size = keep().map_err(|error| failed("keep", &file, error))?;
    tidy(&folder, &file);
    Ok((file, size))
}

/// Old snapshots go if the new one needs their room. A dump is never larger than its database.
fn make_room(host: &Host, folder: &Path) -> Result<(), String> {
    let psql = Command::new("psql", Duration::from_secs(60))
        .args(&["--no-psqlrc", "--no-password", "--host=/run/postgresql", "--username=postgres"])
        .args(&["--dbname=kine", "--tuples-only", "--no-align", "--command"])
        .arg("SELECT pg_database_size('kine')");
    let outcome = host.commands.run(&psql);
    let size: Option<u64> = outcome.stdout.trim().parse().ok().filter(|_| outcome.is_success());
    let needed = size.ok_or_else(|| format!("psql: {}", outcome.told_first()))? + MARGIN;
    let free = || {
        let room = rustix::fs::statvfs(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok::<u64, String>(room.f_bavail * room.f_frsize)
    };
    for old in list(folder) {
        if free()? >= needed {
            break;
        }
        let _ = fs::remove_file(old);
    }
    let free = free()?;
    if free >= needed {
        return Ok(());
    }
    Err(format!("it may need {} on /var, {} are free", shown(needed), shown(free)))
}

/// Snapshots that are there, the oldest first as their names tell.
fn list(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = files.filter(|file| file.to_string_lossy().ends_with(ENDING)).collect();
    let time = |file: &PathBuf| file.to_string_lossy().rsplit('-').next().map(str::to_owned);
    files.sort_by_key(time);
    files
}

/// The new one stays, whatever the clock said when it was named.
fn tidy(folder: &Path, new: &Path) {
    let old: Vec<PathBuf> = list(folder).into_iter().filter(|file| file != new).collect();
    for file in &old[..(old.len() + 1).saturating_sub(KEPT).min(old.len())] {
        let _ = fs::remove_file(file);
    }
}

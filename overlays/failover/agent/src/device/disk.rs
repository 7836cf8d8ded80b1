//! Whether the disk takes what is written: one that hangs or is full is none to lead on.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::time::Duration;

use geminios_failover_core::Instant;

use super::{Happened, now};

/// Bytes without which PostgreSQL is soon to stop: two segments of its log.
const ROOM: u64 = 32 << 20;
/// Bytes set aside for the record, which must be written on a full disk too.
const RESERVE: usize = 64 << 10;
/// Between two looks.
const PAUSE: Duration = Duration::from_secs(1);
/// Milliseconds that a disk must be given at least: [`PAUSE`] counts as silence.
pub const LEAST: u64 = 2000;

pub struct Watch(Arc<AtomicU64>);

impl Watch {
    /// Writes once before it returns: on a disk that hangs it does not return.
    pub fn start(state: &Path, data: &Path, events: Sender<Happened>) -> Self {
        let look = Look { state: state.to_owned(), data: data.to_owned() };
        let mut known = look.problem();
        let answered = Arc::new(AtomicU64::new(now()));
        let watch = Watch(Arc::clone(&answered));
        std::thread::spawn(move || {
            let mut told = None;
            loop {
                // What is wrong is said each time, as it may take more than one try to hand over.
                if known.is_some() || told != known {
                    told.clone_from(&known);
                    if events.send(Happened::Disk(known)).is_err() {
                        return;
                    }
                }
                std::thread::sleep(PAUSE);
                known = look.problem();
                answered.store(now(), Ordering::Relaxed);
            }
        });
        watch
    }

    /// Milliseconds since the disk did last what it was asked to.
    pub fn silent_for(&self, now: Instant) -> u64 {
        now.saturating_sub(self.0.load(Ordering::Relaxed))
    }
}

struct Look {
    state: PathBuf,
    data: PathBuf,
}

impl Look {
    fn problem(&self) -> Option<String> {
        let at = |error: io::Error| Some(format!("{}: {error}", self.state.display()));
        if let Err(error) = self.write() {
            return at(error);
        }
        // Before PostgreSQL is there, its folder is not.
        let folder = self.data.ancestors().find(|path| path.exists()).unwrap_or(&self.data);
        let room = match rustix::fs::statvfs(folder) {
            Ok(disk) => disk.f_bavail.saturating_mul(disk.f_frsize),
            Err(error) => return Some(format!("{}: {error}", folder.display())),
        };
        if room < ROOM {
            return Some(format!("{}: less than {} MB are left", folder.display(), ROOM >> 20));
        }
        set_aside(&self.state).err().and_then(at)
    }

    /// In place, so that it needs no room.
    fn write(&self) -> io::Result<()> {
        let path = self.state.join("disk-check");
        let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        file.write_all(&now().to_le_bytes())?;
        file.sync_data()
    }
}

fn reserve(state: &Path) -> PathBuf {
    state.join("reserve")
}

fn set_aside(state: &Path) -> io::Result<()> {
    let path = reserve(state);
    // The power may have gone before it had its length.
    if path.metadata().is_ok_and(|data| data.len() == RESERVE as u64) {
        return Ok(());
    }
    let mut file = File::create(path)?;
    file.write_all(&[0; RESERVE])?;
    file.sync_all()
}

/// Gives what was set aside to whoever must write on a full disk.
pub fn release(state: &Path) -> io::Result<()> {
    std::fs::remove_file(reserve(state))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_was_set_aside_can_be_given_once_and_is_set_aside_anew() {
        let folder = std::env::temp_dir().join(format!("geminios-disk-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let look = Look { state: folder.clone(), data: folder.join("not/there/yet") };
        assert_eq!(look.problem(), None);
        assert_eq!(reserve(&folder).metadata().unwrap().len(), RESERVE as u64);
        release(&folder).unwrap();
        assert!(release(&folder).is_err());
        assert_eq!(look.problem(), None);
        File::create(reserve(&folder)).unwrap();
        assert_eq!(look.problem(), None);
        assert_eq!(reserve(&folder).metadata().unwrap().len(), RESERVE as u64, "it was cut short");
        release(&folder).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(look.problem().unwrap().contains("No such file"));
    }
}

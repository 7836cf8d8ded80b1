//! One updater at a time.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::machine::{Clock, MachineError, io};

const FILE: &str = "updater.lock";
const PAUSE: Duration = Duration::from_millis(200);

/// Held until it is dropped. The kernel drops that of a program that was killed.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Waits at most `patience` for another to finish. `verb` is what others are told of this one.
    ///
    /// # Errors
    /// Another works still; the file cannot be written.
    pub fn take(
        folder: &Path,
        verb: &str,
        patience: Duration,
        clock: &dyn Clock,
    ) -> Result<Lock, MachineError> {
        std::fs::create_dir_all(folder).map_err(io("make", folder))?;
        let path = folder.join(FILE);
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = file.map_err(io("open", &path))?;
        let start = clock.uptime();
        while let Err(error) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
            if error != Errno::WOULDBLOCK {
                return Err(io("lock", &path)(error.into()));
            }
            if clock.uptime().saturating_sub(start) >= patience {
                return Err(MachineError::Busy { holder: holder(&mut file) });
            }
            clock.sleep(PAUSE);
        }
        let text = format!("{} {verb}\n", std::process::id());
        let written =
            file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(text.as_bytes()));
        written.map_err(io("write", &path))?;
        Ok(Lock { _file: file })
    }
}

/// `process 417 (install)`.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let _ = file.read_to_string(&mut text);
    match text.trim_end().split_once(' ') {
        Some((pid, verb)) => format!("process {pid} ({verb})"),
        None => "another process".to_owned(),
    }
}

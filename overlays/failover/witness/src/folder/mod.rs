//! The witness as numbered files in a folder that both nodes mount, by NFS.
//!
//! No locks: that of a client which hangs is given to another one, and then it goes on. What decides is that link(2) makes a name that
//! does not exist, for one client only (LINK in RFC 1813 section 3.3.15 and RFC 7530 section 16.9: an existing name is refused).
//! The highest number counts. A swap makes the next one; old ones are removed later.

mod mounted;
mod numbers;

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use geminios_failover_core::Record;

use crate::tag::Seen;
use crate::time::Deadline;
use crate::{Error, Held, Register, Swapped};
use numbers::Numbers;

/// A register in `FOLDER/SITE/`.
pub struct Folder {
    numbers: Numbers,
    seen: Seen,
    /// A question that was not answered in time: nothing interrupts a call on a server that does not answer.
    hanging: Option<Receiver<Result<Swapped, Error>>>,
}

impl Folder {
    pub fn new(folder: &Path, site: &str) -> Self {
        Folder { numbers: Numbers::of(folder, site), seen: Seen::default(), hanging: None }
    }

    /// Makes the register of a new site. One that is there is left, and is an error.
    pub fn create(&self) -> Result<(), Error> {
        self.numbers.create()
    }

    pub fn path(&self) -> PathBuf {
        self.numbers.folder.clone()
    }

    fn ask<F>(&mut self, deadline: Duration, job: F) -> Result<Swapped, Error>
    where
        F: FnOnce(&Numbers) -> Result<Swapped, Error> + Send + 'static,
    {
        let deadline = Deadline::after(deadline);
        let place = self.numbers.place();
        if let Some(hanging) = self.hanging.take() {
            // Its answer is out of date. One thread at most hangs.
            if let Err(RecvTimeoutError::Timeout) = hanging.recv_timeout(deadline.left()) {
                self.hanging = Some(hanging);
                return Err(Error::unreachable(&place, "an earlier question still hangs"));
            }
        }
        let (tell, told) = channel();
        let numbers = self.numbers.clone();
        let spawned = std::thread::Builder::new().spawn(move || {
            // Nobody may wait for it any more.
            let _ = tell.send(job(&numbers));
        });
        spawned.map_err(|error| Error::unreachable(&place, error))?;
        match told.recv_timeout(deadline.left()) {
            Ok(answer) => {
                let answer = answer?;
                self.seen.see(&place, answer.held.tag)?;
                Ok(answer)
            }
            Err(RecvTimeoutError::Timeout) => {
                self.hanging = Some(told);
                Err(Error::unreachable(&place, "no answer within the deadline"))
            }
            Err(RecvTimeoutError::Disconnected) => {
                Err(Error::unreachable(&place, "the question ended without an answer"))
            }
        }
    }
}

impl Register for Folder {
    fn read(&mut self, deadline: Duration) -> Result<Held, Error> {
        self.ask(deadline, Numbers::read).map(|read| read.held)
    }

    fn swap(&mut self, expected: u64, record: Record, deadline: Duration) -> Result<Swapped, Error> {
        let seen = self.seen.greatest;
        self.ask(deadline, move |numbers| numbers.swap(expected, seen, record))
    }

    fn take_what_is_there(&mut self) {
        self.seen.take_what_is_there();
    }
}

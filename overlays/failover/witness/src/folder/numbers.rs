use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use geminios_failover_core::Record;

use super::mounted;
use crate::rule::{Fit, fits};
use crate::service::file::{read, sync_folder, write_new};
use crate::{Error, Held, Kept, Swapped, tag};

/// So many of the newest files stay: a client that lists the folder reads the newest before it is removed.
const STAY: u64 = 64;
/// How often a listing is begun anew when what it showed is gone already.
const TRIES: u32 = 8;

/// The files of a register. These calls hang for as long as the server does.
#[derive(Clone, Debug)]
pub struct Numbers {
    pub folder: PathBuf,
    site: String,
}

impl Numbers {
    pub fn of(folder: &Path, site: &str) -> Self {
        Numbers { folder: folder.join(site), site: site.to_owned() }
    }

    pub fn place(&self) -> String {
        self.folder.display().to_string()
    }

    pub fn create(&self) -> Result<(), Error> {
        fs::create_dir_all(&self.folder).map_err(|error| self.failed(&error))?;
        mounted::check(&self.folder)?;
        let there = self.highest().map_err(|error| self.failed(&error))?;
        let kept = Kept::empty(&self.site).filter(|_| there.is_none());
        let kept = kept.ok_or_else(|| Error::not_kept(&self.place(), "a register is there already"))?;
        self.link(0, &kept).map_err(|error| self.failed(&error))
    }

    pub fn read(&self) -> Result<Swapped, Error> {
        mounted::check(&self.folder)?;
        let (_, kept) = self.newest()?;
        Ok(Swapped { done: false, held: kept.held() })
    }

    pub fn swap(&self, expected: u64, seen: u64, record: Record) -> Result<Swapped, Error> {
        mounted::check(&self.folder)?;
        let (number, kept) = self.newest()?;
        let now = kept.held();
        let fit = fits(&now.record, &record);
        if expected != now.tag || fit == Fit::Older {
            return Ok(Swapped { done: false, held: now });
        }
        if fit == Fit::New {
            return Err(Error::New { place: self.place() });
        }
        let used_up =
            || Error::not_kept(&self.place(), "its count is used up, or the system gives no randomness");
        let next = number.checked_add(1).ok_or_else(used_up)?;
        let held = Held { tag: tag::next(now.tag, seen).ok_or_else(used_up)?, record };
        if self.make(next, &Kept::new(&self.site, held))? {
            self.remove_old(next);
            Ok(Swapped { done: true, held })
        } else {
            self.read()
        }
    }

    /// Makes this number, unless it is there.
    fn make(&self, next: u64, kept: &Kept) -> Result<bool, Error> {
        if let Err(error) = self.link(next, kept) {
            // The answer to a LINK may have been lost and the call repeated: then the name is refused, and is ours (open(2), O_EXCL).
            let ours = self.at(next).is_ok_and(|there| there == *kept);
            match error.kind() {
                _ if ours => {}
                ErrorKind::AlreadyExists => return Ok(false),
                _ => return Err(self.failed(&error)),
            }
        }
        // Between listing and linking this client may have hung for so long that the number was used and removed again.
        if self.highest().map_err(|error| self.failed(&error))? != Some(next) {
            return Err(Error::unreachable(
                &self.place(),
                "another swap came in between; what is there now will be seen",
            ));
        }
        Ok(true)
    }

    fn link(&self, number: u64, kept: &Kept) -> io::Result<()> {
        let random = getrandom::u64().map_err(|error| io::Error::other(error.to_string()))?;
        let new = self.folder.join(format!("{number:020}.{random:016x}"));
        let linked =
            write_new(&new, kept.to_text().as_bytes()).and_then(|()| fs::hard_link(&new, self.name(number)));
        let _ = fs::remove_file(&new);
        linked?;
        sync_folder(&self.folder)
    }

    fn newest(&self) -> Result<(u64, Kept), Error> {
        for _ in 0..TRIES {
            let highest = self.highest().map_err(|error| self.failed(&error))?;
            let Some(number) = highest else { return Err(Error::missing(&self.place())) };
            match self.at(number) {
                // Others were so quick that it is old and removed.
                Err(Error::Missing { .. }) => {}
                kept => return Ok((number, kept?)),
            }
        }
        Err(Error::unreachable(&self.place(), "its files change faster than they can be read"))
    }

    fn at(&self, number: u64) -> Result<Kept, Error> {
        let path = self.name(number);
        let text = read(&path).map_err(|error| self.failed(&error))?;
        Kept::parse(&self.site, &text).map_err(|problem| Error::damaged(&path.display().to_string(), problem))
    }

    fn highest(&self) -> io::Result<Option<u64>> {
        Ok(self.names()?.iter().filter(|name| name.len() == 20).filter_map(|name| name.parse().ok()).max())
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let names =
            fs::read_dir(&self.folder)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        names.collect()
    }

    fn name(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:020}"))
    }

    /// Also what a client that was killed left. What cannot be removed now is removed later.
    fn remove_old(&self, newest: u64) {
        if newest % 16 != 0 {
            return;
        }
        for name in self.names().unwrap_or_default() {
            let number = name.get(..20).and_then(|digits| digits.parse::<u64>().ok());
            if number.is_some_and(|number| number + STAY < newest) {
                let _ = fs::remove_file(self.folder.join(name));
            }
        }
    }

    fn failed(&self, error: &io::Error) -> Error {
        let place = self.place();
        match error.kind() {
            ErrorKind::NotFound => Error::missing(&place),
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Error::Refused {
                place,
                problem: error.to_string(),
                help: "let both nodes write to this folder: its owner, and the export's `rw` and `no_root_squash` or `anonuid`",
            },
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Error::not_kept(&place, error),
            _ => Error::unreachable(&place, error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_others_used_and_removed_does_not_win() {
        let folder = tempfile::tempdir().unwrap();
        let numbers = Numbers::of(folder.path(), "hut");
        numbers.create().unwrap();
        let kept = |count: u64| {
            let record = Record { number: count, ..crate::EMPTY };
            Kept::new("hut", Held { tag: count << 32, record })
        };
        assert_eq!(numbers.make(1, &kept(1)), Ok(true));
        numbers.link(99, &kept(99)).unwrap();
        // It hung between its listing, which ended with 1, and its link.
        let late = numbers.make(2, &kept(2));
        assert!(matches!(late, Err(Error::Unreachable { .. })), "{late:?}");
        assert_eq!(numbers.read().unwrap().held, kept(99).held());
        assert_eq!(numbers.make(99, &kept(100)), Ok(false));
        // The answer to its link was lost, and the kernel asked again.
        assert_eq!(numbers.make(99, &kept(99)), Ok(true));
    }
}

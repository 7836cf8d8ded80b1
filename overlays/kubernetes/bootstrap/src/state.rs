//! The folder on the disk: reads what is there, and commits changes so that a power cut leaves whole files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

use crate::Error;
use crate::catalog::{self, PKI, PKI_MODE};
use crate::clients::Client;

/// What was there, by paths below the root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    files: BTreeMap<String, Vec<u8>>,
    modes: BTreeMap<String, u32>,
    names: BTreeSet<String>,
    clients: Vec<Client>,
}

impl Found {
    /// Content of a file that a node has.
    pub fn bytes(&self, path: &str) -> Option<&[u8]> {
        self.files.get(path).map(Vec::as_slice)
    }

    /// Permissions of such a file or of the folder.
    pub fn mode(&self, path: &str) -> Option<u32> {
        self.modes.get(path).copied()
    }

    /// Whose kubeconfigs belong there.
    pub fn clients(&self) -> &[Client] {
        &self.clients
    }

    /// A name for a damaged file that is not taken.
    pub fn aside(&self, path: &str) -> String {
        let mut names = (1..).map(|number| format!("{path}.damaged-{number}"));
        names.find(|name| !self.names.contains(name)).unwrap_or_default()
    }
}

/// A change to the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Write { path: &'static str, bytes: Vec<u8> },
    Rename { from: &'static str, to: String },
    Mode { path: &'static str, mode: u32 },
}

/// What a commit asks of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Create,
    Write,
    Sync,
    Rename,
    Remove,
    Mode,
}

/// Asked before each operation; tests refuse one, as a full disk or a power cut would.
pub type Gate = Box<dyn Fn(Operation, &Path) -> io::Result<()>>;

/// The folder, which need not exist.
pub struct State {
    root: PathBuf,
    clients: Vec<Client>,
    gate: Gate,
}

impl State {
    pub fn new(root: &Path, clients: &[Client]) -> State {
        State::with_gate(root, clients, Box::new(|_, _| Ok(())))
    }

    pub fn with_gate(root: &Path, clients: &[Client], gate: Gate) -> State {
        State { root: root.to_owned(), clients: clients.to_owned(), gate }
    }

    /// Makes the folders and waits until no other run has them. The folder itself is what is locked: that writes nothing.
    pub fn lock(&self) -> Result<Flock<File>, Error> {
        for folder in [self.root.clone(), self.root.join(PKI)] {
            if !folder.is_dir() {
                self.make_folder(&folder)?;
            }
        }
        let folder = File::open(&self.root).map_err(Error::file("open", &self.root))?;
        Flock::lock(folder, FlockArg::LockExclusive)
            .map_err(|(_, error)| Error::file("lock", &self.root)(error.into()))
    }

    fn make_folder(&self, folder: &Path) -> Result<(), Error> {
        let make = || {
            (self.gate)(Operation::Create, folder)?;
            DirBuilder::new().recursive(true).mode(PKI_MODE).create(folder)?;
            // Whatever the umask is.
            fs::set_permissions(folder, Permissions::from_mode(PKI_MODE))
        };
        make().map_err(Error::file("make", folder))?;
        folder.parent().map_or(Ok(()), |parent| self.sync(parent))
    }

    /// Reads every file that a node has.
    pub fn read(&self) -> Result<Found, Error> {
        let mut found = Found { clients: self.clients.clone(), ..Found::default() };
        for path in catalog::files(&self.clients) {
            let full = self.root.join(path);
            let Some(mut file) = present(File::open(&full)).map_err(Error::file("read", &full))? else {
                continue;
            };
            let mut bytes = Vec::new();
            io::Read::read_to_end(&mut file, &mut bytes).map_err(Error::file("read", &full))?;
            let metadata = file.metadata().map_err(Error::file("read", &full))?;
            found.files.insert(path.to_owned(), bytes);
            found.modes.insert(path.to_owned(), metadata.permissions().mode() & 0o7777);
        }
        let folder = self.root.join(PKI);
        if let Some(metadata) = present(fs::metadata(&folder)).map_err(Error::file("read", &folder))? {
            found.modes.insert(PKI.to_owned(), metadata.permissions().mode() & 0o7777);
        }
        found.names = self.names()?.into_iter().collect();
        Ok(found)
    }

    /// Removes what a run left that was cut short.
    pub fn sweep(&self) -> Result<(), Error> {
        for name in self.names()?.into_iter().filter(|name| is_temporary(name)) {
            self.remove(&self.root.join(name))?;
        }
        Ok(())
    }

    /// Writes all new files under temporary names, then gives each its own. Refused by a full disk, it changes nothing.
    pub fn commit(&self, changes: &[Change]) -> Result<(), Error> {
        let done = self.stage(changes).and_then(|()| self.apply(changes));
        if done.is_err() {
            // What cannot be removed is swept by the next run.
            for path in changes.iter().filter_map(written) {
                let _ = self.remove(&self.temporary(path));
            }
        }
        done
    }

    fn stage(&self, changes: &[Change]) -> Result<(), Error> {
        for change in changes {
            if let Change::Write { path, bytes } = change {
                let (full, temporary) = (self.root.join(path), self.temporary(path));
                self.write(&temporary, bytes, catalog::mode(path)).map_err(Error::file("write", &full))?;
            }
        }
        Ok(())
    }

    fn write(&self, path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
        (self.gate)(Operation::Create, path)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        (self.gate)(Operation::Write, path)?;
        file.write_all(bytes)?;
        file.set_permissions(Permissions::from_mode(mode))?;
        (self.gate)(Operation::Sync, path)?;
        file.sync_all()
    }

    fn apply(&self, changes: &[Change]) -> Result<(), Error> {
        let mut open: Option<PathBuf> = None;
        for change in changes {
            let path = match change {
                Change::Write { path, .. } | Change::Mode { path, .. } => self.root.join(path),
                Change::Rename { from, .. } => self.root.join(from),
            };
            let folder = path.parent().unwrap_or(&self.root).to_owned();
            // One folder is on the disk before the next one changes.
            if let Some(before) = open.replace(folder.clone()).filter(|before| *before != folder) {
                self.sync(&before)?;
            }
            match change {
                Change::Write { path, .. } => self.rename(&self.temporary(path), &self.root.join(path))?,
                Change::Rename { from, to } => self.rename(&self.root.join(from), &self.root.join(to))?,
                Change::Mode { mode, .. } => self.set_mode(&path, *mode)?,
            }
        }
        open.map_or(Ok(()), |folder| self.sync(&folder))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), Error> {
        let rename = || (self.gate)(Operation::Rename, to).and_then(|()| fs::rename(from, to));
        rename().map_err(Error::file("write", to))
    }

    fn set_mode(&self, path: &Path, mode: u32) -> Result<(), Error> {
        (self.gate)(Operation::Mode, path)
            .and_then(|()| fs::set_permissions(path, Permissions::from_mode(mode)))
            .map_err(Error::file("change the mode of", path))
    }

    fn remove(&self, path: &Path) -> Result<(), Error> {
        let remove = || (self.gate)(Operation::Remove, path).and_then(|()| fs::remove_file(path));
        present(remove()).map(|_| ()).map_err(Error::file("remove", path))
    }

    fn sync(&self, folder: &Path) -> Result<(), Error> {
        let sync = || (self.gate)(Operation::Sync, folder).and_then(|()| File::open(folder)?.sync_all());
        sync().map_err(Error::file("write", folder))
    }

    fn temporary(&self, path: &str) -> PathBuf {
        let (folder, name) = path.rsplit_once('/').unwrap_or((".", path));
        self.root.join(folder).join(format!(".{name}.tmp"))
    }

    /// Paths below the root of what is in both folders.
    fn names(&self) -> Result<Vec<String>, Error> {
        let mut names = Vec::new();
        for (folder, prefix) in [(self.root.clone(), ""), (self.root.join(PKI), "pki/")] {
            let Some(entries) = present(fs::read_dir(&folder)).map_err(Error::file("list", &folder))? else {
                continue;
            };
            for entry in entries {
                let entry = entry.map_err(Error::file("list", &folder))?;
                names.push(format!("{prefix}{}", entry.file_name().to_string_lossy()));
            }
        }
        Ok(names)
    }
}

fn is_temporary(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.starts_with('.') && name.ends_with(".tmp")
}

fn written(change: &Change) -> Option<&'static str> {
    if let Change::Write { path, .. } = change { Some(path) } else { None }
}

fn present<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use geminios_model::{Digest, Progress, Unit};
use tempfile::TempDir;

use crate::proxy::Proxies;
use crate::{Blob, FetchError, Fetcher, Mirrors, Patience, Store, Want};

/// A cache of one's own.
pub struct World {
    pub cache: TempDir,
    pub store: Store,
    pub told: Told,
}

/// Bytes that compress badly and differ by name.
pub fn bytes(name: &str, size: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(size + 32);
    let mut n = 0u32;
    while out.len() < size {
        out.extend(Digest::of(format!("{name} {n}")).bytes());
        n += 1;
    }
    out.truncate(size);
    out
}

pub fn want(package: &str, bytes: &[u8]) -> Want {
    Want {
        origin: crate::Origin::Archive("debian".into()),
        path: format!("pool/main/{package}_1_amd64.deb"),
        size: bytes.len() as u64,
        digest: Digest::of(bytes),
        package: package.into(),
    }
}

/// Soon out of patience.
pub fn hasty() -> Patience {
    Patience {
        connect: Duration::from_secs(10),
        stall: Duration::from_millis(300),
        tries: 3,
        pause: Duration::from_millis(1),
    }
}

impl World {
    pub fn new() -> World {
        let cache = TempDir::new().unwrap();
        World { store: Store::open(cache.path()).unwrap(), cache, told: Told::default() }
    }

    pub fn fetcher(&self, mirrors: &[String]) -> Fetcher {
        self.fetcher_with(mirrors, Patience { stall: Duration::from_secs(20), ..hasty() })
    }

    pub fn fetcher_with(&self, mirrors: &[String], patience: Patience) -> Fetcher {
        let mirrors = Mirrors::discover(mirrors, None, Path::new("/nonexistent")).unwrap();
        let mut fetcher = Fetcher::with_patience(self.store.clone(), mirrors, patience);
        // Whatever proxy the host has: it does not lead to loopback.
        fetcher.proxies = Proxies::default();
        fetcher
    }

    pub fn fetch(&self, mirrors: &[String], want: &Want) -> Result<Blob, FetchError> {
        self.fetch_with(mirrors, want, Patience { stall: Duration::from_secs(20), ..hasty() })
    }

    pub fn fetch_with(
        &self,
        mirrors: &[String],
        want: &Want,
        patience: Patience,
    ) -> Result<Blob, FetchError> {
        let fetcher = self.fetcher_with(mirrors, patience);
        fetcher.blobs(std::slice::from_ref(want), 1, &self.told).map(|mut blobs| blobs.remove(0))
    }

    /// All files of the store, finished or not, by name.
    pub fn files(&self) -> Vec<String> {
        files_below(&self.cache.path().join("store"))
    }

    pub fn path(&self, digest: &Digest) -> PathBuf {
        let name = digest.to_string();
        self.cache.path().join("store").join(&name[..2]).join(name)
    }

    pub fn part(&self, digest: &Digest) -> PathBuf {
        self.cache.path().join(format!("store/unfinished/{digest}.part"))
    }
}

pub fn files_below(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            names.extend(files_below(&entry.path()));
        } else {
            names.push(entry.file_name().into_string().unwrap());
        }
    }
    names.sort();
    names
}

/// Keeps what it is told.
#[derive(Default)]
pub struct Told {
    pub total: Mutex<u64>,
    pub advanced: Mutex<u64>,
    pub warnings: Mutex<Vec<String>>,
}

impl Told {
    pub fn advanced(&self) -> u64 {
        *self.advanced.lock().unwrap()
    }

    pub fn warnings(&self) -> Vec<String> {
        self.warnings.lock().unwrap().clone()
    }
}

impl Progress for Told {
    fn begin(&self, _: &str, total: u64, _: Unit) {
        *self.total.lock().unwrap() += total;
    }

    fn advance(&self, _: &str, units: u64) {
        *self.advanced.lock().unwrap() += units;
    }

    fn end(&self, _: &str, _: &str) {}

    fn warn(&self, message: &str) {
        self.warnings.lock().unwrap().push(message.to_owned());
    }
}

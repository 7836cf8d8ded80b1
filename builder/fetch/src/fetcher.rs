use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, Once, OnceLock, PoisonError};

use geminios_model::{Digest, Progress, Silent, Unit};
use ureq::Agent;

use crate::error::{Fault, FetchError, Gone, Try};
use crate::http;
use crate::leftovers::PART;
use crate::mirrors::{Mirrors, local_path};
use crate::parallel::parallel;
use crate::part::Part;
use crate::patience::Patience;
use crate::percent;
use crate::proxy::Proxies;
use crate::registries::Registries;
use crate::source::{End, Source, Wire};
use crate::store::{Blob, Store, at};
use crate::want::{Origin, Want};

/// Brings files from mirrors into a store. Only bytes with the expected digest get there.
pub struct Fetcher {
    store: Store,
    mirrors: Mirrors,
    registries: Registries,
    /// Tokens of registries, by the address of a repository.
    pub(crate) tokens: Mutex<BTreeMap<String, String>>,
    patience: Patience,
    pub(crate) proxies: Proxies,
    /// HTTP clients, for http and for https.
    agents: [OnceLock<Agent>; 2],
    /// Mirrors that could not be reached: they are asked last, and once.
    down: Mutex<BTreeSet<String>>,
    /// That another fetches the same is told once, not for each of a hundred files.
    waited: Once,
    offline: bool,
}

impl Fetcher {
    pub fn new(store: Store, mirrors: Mirrors) -> Self {
        Fetcher::with_patience(store, mirrors, Patience::default())
    }

    pub fn with_patience(store: Store, mirrors: Mirrors, patience: Patience) -> Self {
        let proxies = Proxies::from_environment(|name| std::env::var(name).ok());
        let (registries, tokens, agents, down) = Default::default();
        let (waited, offline) = (Once::new(), false);
        Fetcher { store, mirrors, registries, tokens, patience, proxies, agents, down, waited, offline }
    }

    /// The same with mirrors of registries.
    #[must_use]
    pub fn with_registries(self, registries: Registries) -> Self {
        Fetcher { registries, ..self }
    }

    /// A fetcher that has only the store.
    pub fn offline(store: Store) -> Self {
        Fetcher { offline: true, ..Fetcher::new(store, Mirrors::default()) }
    }

    /// A small file that nothing vouches for yet, such as InRelease. Not kept.
    ///
    /// # Errors
    /// No mirror gives it, or it has more than `limit` bytes.
    pub fn index(&self, archive: &str, path: &str, limit: u64) -> Result<Vec<u8>, FetchError> {
        self.document(&Origin::Archive(archive.to_owned()), path, limit, &|_| Ok(()))
    }

    /// A file whose size is not known, from the first mirror whose bytes pass `check`.
    pub(crate) fn document(
        &self,
        origin: &Origin,
        path: &str,
        limit: u64,
        check: &dyn Fn(&[u8]) -> Result<(), Fault>,
    ) -> Result<Vec<u8>, FetchError> {
        if self.offline {
            return Err(FetchError::Offline { path: path.to_owned() });
        }
        check_path(path)?;
        let mut tries = Vec::new();
        for mirror in self.mirrors(origin)? {
            let source = self.source(origin, &mirror, path);
            let come = source.small(limit, &self.patience_with(&mirror), &|_| {});
            match come.and_then(|bytes| check(&bytes).map(|()| bytes)) {
                Ok(bytes) => return Ok(bytes),
                Err(fault) => tries.push(self.note(&mirror, &source, fault)),
            }
        }
        Err(FetchError::Failed { origin: origin.clone(), path: path.to_owned(), tries })
    }

    /// A file that a verified index names.
    ///
    /// # Errors
    /// No mirror gives it with that digest; the store cannot be used.
    pub fn index_by_digest(
        &self,
        archive: &str,
        path: &str,
        digest: &Digest,
        size: u64,
    ) -> Result<Vec<u8>, FetchError> {
        let (origin, package) = (Origin::Archive(archive.to_owned()), String::new());
        self.bytes(&Want { origin, path: path.to_owned(), size, digest: *digest, package })
    }

    /// A small file's bytes, from the store or a mirror.
    ///
    /// # Errors
    /// No mirror gives it with that digest; the store cannot be used.
    pub fn bytes(&self, want: &Want) -> Result<Vec<u8>, FetchError> {
        let blob = match self.store.get(&want.digest)? {
            Some(blob) => blob,
            None => self.one(want, &AtomicBool::new(false), &Silent)?,
        };
        Ok(fs::read(&blob.path).map_err(at(&blob.path))?)
    }

    /// Files of a lock, from the store or from mirrors, `jobs` at once; in the order of `wants`. Every file is read
    /// and checked, even if it was in the store; what is damaged there is fetched again.
    ///
    /// # Errors
    /// All files that no mirror has any more, after the others have come; else the first failure, which stops the
    /// other downloads. What came is kept either way, and goes on where it stopped.
    pub fn blobs(
        &self,
        wants: &[Want],
        jobs: usize,
        progress: &dyn Progress,
    ) -> Result<Vec<Blob>, FetchError> {
        let found = self.look(wants, jobs, progress)?;
        let mut seen = BTreeSet::new();
        let mut missing: Vec<&Want> =
            wants.iter().zip(&found).filter(|(_, f)| f.is_none()).map(|(w, _)| w).collect();
        missing.retain(|want| seen.insert(want.digest));
        if missing.is_empty() {
            return Ok(found.into_iter().flatten().collect());
        }
        // The largest first, so that no job ends long after the others.
        missing.sort_by_key(|want| std::cmp::Reverse(want.size));
        let come = self.download(&missing, jobs, progress)?;
        let come: BTreeMap<Digest, Blob> = come.into_iter().map(|blob| (blob.digest, blob)).collect();
        let blobs =
            wants.iter().zip(found).map(|(want, found)| found.or_else(|| come.get(&want.digest).cloned()));
        Ok(blobs.flatten().collect())
    }

    /// What of the wants is in the store.
    fn look(
        &self,
        wants: &[Want],
        jobs: usize,
        progress: &dyn Progress,
    ) -> Result<Vec<Option<Blob>>, FetchError> {
        parallel(wants, jobs, &AtomicBool::new(false), |want| {
            let there = self.store.is_there(&want.digest);
            let blob = self.store.get(&want.digest)?;
            if there && blob.is_none() {
                progress.warn(&format!("{} was damaged in the cache and is fetched again", want.path));
            }
            Ok(blob)
        })
    }

    fn download(
        &self,
        wants: &[&Want],
        jobs: usize,
        progress: &dyn Progress,
    ) -> Result<Vec<Blob>, FetchError> {
        let bytes = wants.iter().map(|want| want.size).sum();
        if !self.offline {
            self.check_room(bytes)?;
        }
        progress.begin("fetch", bytes, Unit::Bytes);
        let stop = AtomicBool::new(false);
        let come = parallel(wants, jobs, &stop, |want| match self.one(want, &stop, progress) {
            Ok(blob) => Ok(Ok(blob)),
            Err(FetchError::Failed { origin: Origin::Archive(archive), path, tries }) if all_lack(&tries) => {
                Ok(Err(Gone { archive, path, package: want.package.clone() }))
            }
            Err(error) => Err(error),
        })?;
        let (come, mut files): (Vec<_>, Vec<_>) = come.into_iter().partition(Result::is_ok);
        if !files.is_empty() {
            files.sort_by(|a, b| a.as_ref().err().cmp(&b.as_ref().err()));
            return Err(FetchError::Gone { files: files.into_iter().filter_map(Result::err).collect() });
        }
        progress.end("fetch", &format!("{} files, {:.1} MB", wants.len(), bytes as f64 / 1e6));
        Ok(come.into_iter().flatten().collect())
    }

    /// One file, from the first mirror that has it.
    fn one(&self, want: &Want, stop: &AtomicBool, progress: &dyn Progress) -> Result<Blob, FetchError> {
        if self.offline {
            return Err(FetchError::Offline { path: want.path.clone() });
        }
        check_path(&want.path)?;
        let path = self.store.unfinished().join(format!("{}.{PART}", want.digest));
        let waiting = || {
            self.waited.call_once(|| {
                progress.warn(&format!("another geminios fetches {}; waiting for it", want.path));
            });
        };
        let mut part = Part::open(path, &waiting)?;
        // That other one may have finished it.
        if let Some(blob) = self.store.get(&want.digest)? {
            part.discard();
            return Ok(blob);
        }
        let told = Cell::new(0);
        let reached = |bytes: u64| {
            // After a restart the same bytes come again; they are not told twice.
            progress.advance("fetch", bytes.saturating_sub(told.get()));
            told.set(told.get().max(bytes));
        };
        reached(part.len().min(want.size));
        let mut tries = Vec::new();
        for mirror in self.mirrors(&want.origin)? {
            let source = self.source(&want.origin, &mirror, &want.path);
            let patience = &self.patience_with(&mirror);
            let wire = Wire { patience, stop, reached: &reached, warn: &|text| progress.warn(text) };
            match source.complete(&mut part, want.digest, want.size, &wire) {
                Ok(()) => return Ok(self.store.adopt(part, want.digest, want.size)?),
                Err(End::Stopped) => return Err(FetchError::Stopped { path: want.path.clone() }),
                Err(End::Host(error)) => return Err(error.into()),
                Err(End::Fault(fault)) => {
                    let failed = self.note(&mirror, &source, fault);
                    progress.warn(&format!("{}: {}", failed.address, failed.fault));
                    tries.push(failed);
                }
            }
        }
        if part.len() == 0 {
            part.discard();
        }
        Err(FetchError::Failed { origin: want.origin.clone(), path: want.path.clone(), tries })
    }

    /// Where an origin's files are; what could not be reached last.
    fn mirrors(&self, origin: &Origin) -> Result<Vec<String>, FetchError> {
        let mut mirrors = match origin {
            Origin::Archive(archive) => self.mirrors.of(archive)?,
            Origin::Registry(registry) => self.registries.of(registry),
        };
        let down = self.down.lock().unwrap_or_else(PoisonError::into_inner);
        mirrors.sort_by_key(|mirror| down.contains(mirror));
        Ok(mirrors)
    }

    fn patience_with(&self, mirror: &str) -> Patience {
        let down = self.down.lock().unwrap_or_else(PoisonError::into_inner).contains(mirror);
        Patience { tries: if down { 1 } else { self.patience.tries }, ..self.patience }
    }

    /// Remembers what a mirror did.
    fn note(&self, mirror: &str, source: &Source, fault: Fault) -> Try {
        if matches!(fault, Fault::Connection(_)) {
            self.down.lock().unwrap_or_else(PoisonError::into_inner).insert(mirror.to_owned());
        }
        Try { address: source.to_string(), fault }
    }

    fn source<'a>(&'a self, origin: &Origin, mirror: &str, path: &str) -> Source<'a> {
        if let Some(folder) = mirror.strip_prefix("file:").and_then(local_path) {
            return Source::Local { path: Path::new(&percent::decoded(folder)).join(path) };
        }
        let pull = matches!(origin, Origin::Registry(_)).then(|| self.pull(mirror, path));
        let address = format!("{mirror}/{}", percent::encoded(path));
        Source::Http { agent: self.agent(&address), address, pull }
    }

    pub(crate) fn agent(&self, address: &str) -> &Agent {
        self.agents[usize::from(address.starts_with("https:"))]
            .get_or_init(|| http::agent(&self.patience, &self.proxies, address))
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    fn check_room(&self, need: u64) -> Result<(), FetchError> {
        let folder = self.store.unfinished();
        // A host that cannot tell is no reason to stop.
        let Ok(room) = rustix::fs::statvfs(&folder) else { return Ok(()) };
        let have = room.f_bavail.saturating_mul(room.f_frsize);
        if have < need { Err(FetchError::NoRoom { folder, have, need }) } else { Ok(()) }
    }
}

fn all_lack(tries: &[Try]) -> bool {
    tries.iter().all(|t| matches!(t.fault, Fault::NotThere))
}

/// Paths come from files of others: they must not lead out of a mirror's folder.
fn check_path(path: &str) -> Result<(), FetchError> {
    if path.split('/').any(|name| matches!(name, "" | "." | "..")) || path.contains('\0') {
        return Err(FetchError::Path { path: path.to_owned() });
    }
    Ok(())
}

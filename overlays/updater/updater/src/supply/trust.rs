//! Metadata from a supply, judged by the format's client; and the state of trust, kept on /var after every step.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use geminios_update_format::client::{Listed, Trusted};
use geminios_update_format::release::Release;
use geminios_update_format::{Client, Digest, Error as FormatError, Fetch, Kind, State, Step, UnixTime};

use crate::supply::keep::keep;
use crate::supply::{Supply, SupplyError};

const STATE: &str = "trust.json";
/// Files that never change are not fetched again: a poll that finds nothing new costs two requests.
const CACHE: &str = "metadata";

/// What is trusted, and where that is kept.
#[derive(Debug)]
pub struct Trust {
    state: State,
    folder: PathBuf,
    /// What is in the file, so that nothing is written twice.
    kept: Option<Vec<u8>>,
    used: BTreeSet<String>,
    /// Why it began anew from the image's root.
    pub began_anew: Option<String>,
}

impl Trust {
    /// What `folder` has kept. If that is lost or torn, the root of trust in the image: then older metadata than was seen before
    /// is no longer told from new, down to the time at which the image was built.
    ///
    /// # Errors
    /// There is no root of trust either. There is no way without.
    pub fn open(folder: &Path, root: &Path) -> Result<Self, SupplyError> {
        let file = folder.join(STATE);
        let (kept, reason) = match std::fs::read(&file) {
            Ok(bytes) => match State::parse(&bytes) {
                Ok(state) => {
                    let (folder, used) = (folder.to_owned(), BTreeSet::new());
                    return Ok(Trust { state, folder, kept: Some(bytes), used, began_anew: None });
                }
                Err(error) => (Some(bytes), Some(first_line(&error))),
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => (None, None),
            Err(error) => (None, Some(error.to_string())),
        };
        let no_root = |problem: String| SupplyError::NoRoot { path: root.to_owned(), problem };
        let bytes = std::fs::read(root).map_err(|error| no_root(error.to_string()))?;
        let state = State::of_root(&bytes).map_err(|error| no_root(first_line(&error)))?;
        let began_anew = reason.map(|reason| format!("{}: {reason}", file.display()));
        Ok(Trust { state, folder: folder.to_owned(), kept, used: BTreeSet::new(), began_anew })
    }

    /// Asks the supply what is signed. `clock` is what the device's clock says, `built` when the running image was built.
    ///
    /// # Errors
    /// Nothing may be believed of it, or it cannot be reached.
    pub fn refresh(
        &mut self,
        supply: &mut dyn Supply,
        clock: UnixTime,
        built: UnixTime,
    ) -> Result<Trusted, SupplyError> {
        self.used.clear();
        let trusted = match self.run(supply, clock, built) {
            // A bit that the link flipped, or a server that changed the file in between.
            Err(SupplyError::Format(error)) if may_be_damage(&error) => self.run(supply, clock, built)?,
            result => result?,
        };
        self.tidy();
        Ok(trusted)
    }

    fn run(
        &mut self,
        supply: &mut dyn Supply,
        clock: UnixTime,
        built: UnixTime,
    ) -> Result<Trusted, SupplyError> {
        let mut client = Client::start(self.state.clone(), clock, built);
        let mut step = client.step();
        loop {
            let fetch = match step {
                Step::Done(trusted) => return Ok(trusted),
                Step::Fetch(fetch) => fetch,
            };
            let next = match self.get(&fetch, supply)? {
                Some(bytes) => client.take(&bytes).inspect(|_| self.cache(&fetch, &bytes)),
                None => client.absent(),
            };
            self.keep(client.state())?;
            step = next?;
        }
    }

    fn get(&self, fetch: &Fetch, supply: &mut dyn Supply) -> Result<Option<Vec<u8>>, SupplyError> {
        let wanted = fetch.hashes.as_ref().and_then(|hashes| hashes.sha256);
        let cached = wanted.and_then(|wanted| {
            std::fs::read(self.cached(&fetch.name)).ok().filter(|bytes| Digest::of(bytes) == wanted)
        });
        match cached {
            Some(bytes) => Ok(Some(bytes)),
            None => supply.file(&format!("metadata/{}", fetch.name), fetch.max_length),
        }
    }

    fn cached(&self, name: &str) -> PathBuf {
        self.folder.join(CACHE).join(name)
    }

    /// It saves bytes only, so it may fail.
    fn cache(&mut self, fetch: &Fetch, bytes: &[u8]) {
        if fetch.hashes.is_none() {
            return;
        }
        self.used.insert(fetch.name.clone());
        let path = self.cached(&fetch.name);
        if !std::fs::metadata(&path).is_ok_and(|there| there.len() == bytes.len() as u64) {
            let _ = keep(&path, bytes);
        }
    }

    fn tidy(&self) {
        let files = std::fs::read_dir(self.folder.join(CACHE)).into_iter().flatten().flatten();
        for file in files.filter(|file| !self.used.contains(&*file.file_name().to_string_lossy())) {
            let _ = std::fs::remove_file(file.path());
        }
    }

    fn keep(&mut self, state: &State) -> Result<(), SupplyError> {
        self.state = state.clone();
        let bytes = state.to_bytes();
        if self.kept.as_ref() != Some(&bytes) {
            let path = self.folder.join(STATE);
            keep(&path, &bytes).map_err(|error| SupplyError::Keep { path, error })?;
            self.kept = Some(bytes);
        }
        Ok(())
    }
}

/// The signed index of a release that is listed.
///
/// # Errors
/// It cannot be got, or is another than was signed.
pub fn release(trusted: &Trusted, listed: &Listed, supply: &mut dyn Supply) -> Result<Release, SupplyError> {
    let file = format!("targets/{}", listed.target.path());
    let mut try_once = || {
        let bytes = supply.file(&file, listed.target.length)?;
        let bytes =
            bytes.ok_or_else(|| SupplyError::Missing { file: file.clone(), place: supply.place() })?;
        Ok(trusted.open(listed, &bytes)?)
    };
    match try_once() {
        Err(SupplyError::Format(error)) if may_be_damage(&error) => try_once(),
        result => result,
    }
}

fn may_be_damage(error: &FormatError) -> bool {
    matches!(error.kind(), Kind::Malformed | Kind::Hash | Kind::Length | Kind::Signatures)
}

fn first_line(error: &FormatError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

//! What a repository says now, as its publisher reads it: signatures are checked, expiry is not, since publishing ends it.

use std::collections::BTreeMap;

use geminios_update_format::json::Value;
use geminios_update_format::metadata::{Body, Envelope, RoleName, Root, Snapshot, Targets, Timestamp};
use geminios_update_format::release::Release;
use geminios_update_format::write::TargetEntry;
use geminios_update_format::{Digest, UnixTime};
use semver::Version;

use crate::error::ReleaseError;
use crate::repository::store::Store;

/// The metadata in force.
pub(crate) struct Current {
    pub root: Root,
    /// 0 before the first release.
    pub timestamp: u64,
    pub snapshot: u64,
    pub targets: u64,
    /// When each file expires.
    pub expires: BTreeMap<RoleName, UnixTime>,
    pub entries: BTreeMap<String, TargetEntry>,
    /// Below `targets/`, by name.
    pub paths: BTreeMap<String, String>,
}

/// A file that at least one of these roots vouches for.
fn file<T: Body + Clone>(store: &Store, roots: &[Root], version: u64) -> Result<T, ReleaseError> {
    let name = format!("metadata/{}", T::ROLE.file(version));
    let bytes = store.read(&name)?;
    let missing = || ReleaseError::Damaged { file: name.clone(), problem: "not there".to_owned() };
    let envelope = Envelope::<T>::parse(&name, &bytes.ok_or_else(missing)?)?;
    let signers = roots.iter().map(|root| envelope.signers(root).map(|_| ())).reduce(Result::or);
    signers.unwrap_or(Ok(()))?;
    Ok(envelope.unverified().clone())
}

/// All roots, from the first on: each signed by the one before it and by itself.
fn roots(store: &Store) -> Result<Vec<Root>, ReleaseError> {
    let mut roots: Vec<Root> = Vec::new();
    loop {
        let last = roots.last();
        let next = last.map_or(1, |root| root.header().version + 1);
        let name = format!("metadata/{}", RoleName::Root.file(next));
        let Some(bytes) = store.read(&name)? else { break };
        let envelope = Envelope::<Root>::parse(&name, &bytes)?;
        if let Some(last) = last {
            envelope.signers(last)?;
        }
        envelope.signers(envelope.unverified())?;
        if envelope.unverified().header().version != next {
            let problem = format!("it has version {}", envelope.unverified().header().version);
            return Err(ReleaseError::Damaged { file: name, problem });
        }
        roots.push(envelope.unverified().clone());
    }
    if roots.is_empty() { Err(ReleaseError::NoRepository(store.dir.clone())) } else { Ok(roots) }
}

impl Current {
    pub fn read(store: &Store) -> Result<Self, ReleaseError> {
        Self::vouched_by(store, 1)
    }

    /// The same for a rotation, which may have been cut right after its root: the root before vouches too.
    pub fn read_to_rotate(store: &Store) -> Result<Self, ReleaseError> {
        Self::vouched_by(store, 2)
    }

    fn vouched_by(store: &Store, last: usize) -> Result<Self, ReleaseError> {
        let mut roots = roots(store)?;
        roots.drain(..roots.len().saturating_sub(last));
        roots.reverse();
        let root = roots[0].clone();
        let expires = BTreeMap::from([(RoleName::Root, root.header().expires)]);
        let mut current = Current {
            root,
            timestamp: 0,
            snapshot: 0,
            targets: 0,
            expires,
            entries: BTreeMap::new(),
            paths: BTreeMap::new(),
        };
        if store.read("metadata/timestamp.json")?.is_none() {
            return Ok(current);
        }
        let timestamp: Timestamp = file(store, &roots, 0)?;
        let snapshot: Snapshot = file(store, &roots, timestamp.snapshot.version)?;
        let targets: Targets = file(store, &roots, snapshot.targets().version)?;
        current.timestamp = timestamp.header().version;
        current.snapshot = snapshot.header().version;
        current.targets = targets.header().version;
        current.expires.extend([
            (RoleName::Timestamp, timestamp.header().expires),
            (RoleName::Snapshot, snapshot.header().expires),
            (RoleName::Targets, targets.header().expires),
        ]);
        for target in targets.targets.values() {
            let sha256 = target.hashes.sha256.unwrap_or(Digest([0; 32]));
            let entry = TargetEntry { length: target.length, sha256, custom: target.custom.clone() };
            current.entries.insert(target.name.to_string(), entry);
            current.paths.insert(target.name.to_string(), format!("targets/{}", target.path()));
        }
        Ok(current)
    }

    /// The next version of a role for which no file was ever written. One may lie there from a publishing that was cut; its name
    /// must not get other bytes, since a file with a version in its name never changes.
    pub fn free(store: &Store, role: RoleName, current: u64) -> u64 {
        let taken = |version: &u64| store.dir.join("metadata").join(role.file(*version)).exists();
        (current + 1..).find(|version| !taken(version)).unwrap_or(u64::MAX)
    }

    /// All releases for a profile and board, oldest first.
    pub fn releases(&self, store: &Store, profile: &str, board: &str) -> Result<Vec<Release>, ReleaseError> {
        let prefix = format!("{profile}/{board}/");
        let names =
            self.entries.keys().filter(|name| name.starts_with(&prefix) && name.ends_with("/release.json"));
        let mut releases: Vec<Release> =
            names.map(|name| self.release(store, name)).collect::<Result<_, ReleaseError>>()?;
        releases.sort_by(|one, other| one.version.cmp(&other.version));
        Ok(releases)
    }

    pub fn release(&self, store: &Store, name: &str) -> Result<Release, ReleaseError> {
        let (Some(entry), Some(path)) = (self.entries.get(name), self.paths.get(name)) else {
            return Err(ReleaseError::NoRelease(name.to_owned()));
        };
        let damaged = |problem: String| ReleaseError::Damaged { file: path.clone(), problem };
        let bytes = store.read(path)?.ok_or_else(|| damaged("not there".to_owned()))?;
        let seen = Digest::of(&bytes);
        if seen != entry.sha256 {
            return Err(damaged(format!("its SHA-256 is {seen}, targets.json says {}", entry.sha256)));
        }
        Ok(Release::parse(path, &bytes)?)
    }

    /// Channels of a release.
    pub fn channels(&self, name: &str) -> Vec<String> {
        let custom = self.entries.get(name).and_then(|entry| entry.custom.as_ref());
        let Some(Value::Map(members)) = custom else { return Vec::new() };
        let Some(Value::List(channels)) = members.get("channels") else { return Vec::new() };
        let text = |value: &Value| match value {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        };
        channels.iter().filter_map(text).collect()
    }
}

/// `PROFILE/BOARD/VERSION/release.json`.
pub(crate) fn release_name(profile: &str, board: &str, release: &Version) -> String {
    format!("{profile}/{board}/{release}/release.json")
}

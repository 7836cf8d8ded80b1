//! New metadata: targets, snapshot, and last the timestamp.

use std::collections::BTreeMap;

use geminios_update_format::UnixTime;
use geminios_update_format::metadata::{Body, Header, RoleName, Root};
use geminios_update_format::time::DAY;
use geminios_update_format::write::{self, TargetEntry, Unsigned};

use crate::error::ReleaseError;
use crate::keys::Keys;
use crate::repository::Repository;
use crate::repository::current::Current;
use crate::repository::store::Store;

/// Seconds from signing to expiry, by role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    pub root: UnixTime,
    pub targets: UnixTime,
    pub snapshot: UnixTime,
    pub timestamp: UnixTime,
}

impl Default for Lifetimes {
    /// A stick may be weeks on its way, so the timestamp lives for 30 days; what is signed by hand lives longer.
    fn default() -> Self {
        Lifetimes { root: 3650 * DAY, targets: 365 * DAY, snapshot: 365 * DAY, timestamp: 30 * DAY }
    }
}

/// Who vouches for new metadata: the root in force, and in a rotation also the one before, so that a reader of either is content.
pub(crate) struct Vouchers<'a> {
    pub keys: &'a Keys,
    pub root: &'a Root,
    pub before: Option<&'a Root>,
}

impl Vouchers<'_> {
    fn finish<T: Body>(&self, mut unsigned: Unsigned<T>) -> Result<Vec<u8>, ReleaseError> {
        if let Some(before) = self.before {
            self.keys.sign(&mut unsigned, before)?;
        }
        self.keys.finish(&mut unsigned, self.root)
    }
}

/// From which file on all are written anew: each names the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Since {
    Targets,
    Snapshot,
    Timestamp,
}

impl Since {
    pub fn roles(self) -> &'static [RoleName] {
        let all = &[RoleName::Targets, RoleName::Snapshot, RoleName::Timestamp];
        &all[self as usize..]
    }
}

/// Writes the files `since` one of them, timestamp last; what stays is named as it is. Gives the timestamp's version.
pub(crate) fn write(
    store: &Store,
    current: &Current,
    (since, entries): (Since, &BTreeMap<String, TargetEntry>),
    vouchers: &Vouchers<'_>,
    (now, lifetimes): (UnixTime, &Lifetimes),
) -> Result<u64, ReleaseError> {
    for role in since.roles() {
        vouchers.keys.require(vouchers.root, *role)?;
    }
    let header = |role, current, lifetime: UnixTime| Header {
        version: Current::free(store, role, current),
        expires: now + lifetime,
        issued: Some(now),
    };
    let put =
        |role: RoleName, version, bytes: &[u8]| store.put(&format!("metadata/{}", role.file(version)), bytes);

    let targets = if since == Since::Targets {
        let header = header(RoleName::Targets, current.targets, lifetimes.targets);
        let file = vouchers.finish(write::targets(&header, entries)?)?;
        put(RoleName::Targets, header.version, &file)?;
        (header.version, file)
    } else {
        (current.targets, store.metadata(RoleName::Targets, current.targets)?)
    };
    let snapshot = if since <= Since::Snapshot {
        let header = header(RoleName::Snapshot, current.snapshot, lifetimes.snapshot);
        let file = vouchers.finish(write::snapshot(&header, (targets.0, &targets.1))?)?;
        put(RoleName::Snapshot, header.version, &file)?;
        (header.version, file)
    } else {
        (current.snapshot, store.metadata(RoleName::Snapshot, current.snapshot)?)
    };
    let version = current.timestamp + 1;
    let timestamp = Header { version, expires: now + lifetimes.timestamp, issued: Some(now) };
    let file = vouchers.finish(write::timestamp(&timestamp, (snapshot.0, &snapshot.1))?)?;
    put(RoleName::Timestamp, version, &file)?;
    Ok(version)
}

/// What signing again did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refreshed {
    /// Version of the timestamp, and when it expires.
    pub timestamp: u64,
    pub expires: UnixTime,
    /// What was signed anew.
    pub signed: Vec<RoleName>,
    /// What expires before the timestamp, since the keys for it are not at hand, and when.
    pub left: Vec<(RoleName, UnixTime)>,
}

impl Repository {
    /// Signs the timestamp anew, so that the repository does not expire: its keys are all that is needed. Snapshot and targets
    /// are signed anew with it if they would expire before it, and their keys are at hand.
    pub fn refresh(
        &self,
        keys: &Keys,
        now: UnixTime,
        lifetimes: &Lifetimes,
    ) -> Result<Refreshed, ReleaseError> {
        let store = &self.store;
        let _lock = store.lock()?;
        let current = Current::read(store)?;
        if current.timestamp == 0 {
            return Err(ReleaseError::NothingPublished(store.dir.clone()));
        }
        let expires = now + lifetimes.timestamp;
        let short = |role| current.expires[&role] < expires;
        let at_hand =
            |since: Since| since.roles().iter().all(|role| keys.require(&current.root, *role).is_ok());
        let since = if short(RoleName::Targets) && at_hand(Since::Targets) {
            Since::Targets
        } else if short(RoleName::Snapshot) && at_hand(Since::Snapshot) {
            Since::Snapshot
        } else {
            Since::Timestamp
        };
        let vouchers = Vouchers { keys, root: &current.root, before: None };
        let when = (now, lifetimes);
        let timestamp = write(store, &current, (since, &current.entries), &vouchers, when)?;
        let signed = since.roles();
        let left = current.expires.iter().map(|(role, at)| (*role, *at));
        let left = left.filter(|(role, at)| !signed.contains(role) && *at < expires).collect();
        Ok(Refreshed { timestamp, expires, signed: signed.to_vec(), left })
    }
}

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

/// Writes targets (if `entries` are new), snapshot and timestamp, in this order.
pub(crate) fn write(
    store: &Store,
    current: &Current,
    entries: &BTreeMap<String, TargetEntry>,
    vouchers: &Vouchers<'_>,
    (now, lifetimes): (UnixTime, &Lifetimes),
) -> Result<u64, ReleaseError> {
    for role in [RoleName::Targets, RoleName::Snapshot, RoleName::Timestamp] {
        vouchers.keys.require(vouchers.root, role)?;
    }
    let header = |role, current, lifetime: UnixTime| Header {
        version: Current::free(store, role, current),
        expires: now + lifetime,
        issued: Some(now),
    };
    let put =
        |role: RoleName, version, bytes: &[u8]| store.put(&format!("metadata/{}", role.file(version)), bytes);

    let targets = header(RoleName::Targets, current.targets, lifetimes.targets);
    let targets_file = vouchers.finish(write::targets(&targets, entries)?)?;
    put(RoleName::Targets, targets.version, &targets_file)?;
    let snapshot = header(RoleName::Snapshot, current.snapshot, lifetimes.snapshot);
    let snapshot_file = vouchers.finish(write::snapshot(&snapshot, (targets.version, &targets_file))?)?;
    put(RoleName::Snapshot, snapshot.version, &snapshot_file)?;
    let version = current.timestamp + 1;
    let timestamp = Header { version, expires: now + lifetimes.timestamp, issued: Some(now) };
    let file = vouchers.finish(write::timestamp(&timestamp, (snapshot.version, &snapshot_file))?)?;
    put(RoleName::Timestamp, version, &file)?;
    Ok(version)
}

impl Repository {
    /// Signs the timestamp anew, so that the repository does not expire. Its key is all that is needed. Gives its version.
    pub fn refresh(&self, keys: &Keys, now: UnixTime, lifetimes: &Lifetimes) -> Result<u64, ReleaseError> {
        let store = &self.store;
        let _lock = store.lock()?;
        let current = Current::read(store)?;
        let name = format!("metadata/{}", RoleName::Snapshot.file(current.snapshot));
        let damaged = || ReleaseError::Damaged { file: name.clone(), problem: "not there".to_owned() };
        let snapshot = store.read(&name)?.ok_or_else(damaged)?;
        let version = current.timestamp + 1;
        let header = Header { version, expires: now + lifetimes.timestamp, issued: Some(now) };
        let unsigned = write::timestamp(&header, (current.snapshot, &snapshot))?;
        let vouchers = Vouchers { keys, root: &current.root, before: None };
        store.put("metadata/timestamp.json", &vouchers.finish(unsigned)?)?;
        Ok(version)
    }
}

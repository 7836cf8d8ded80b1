//! A new root.

use std::collections::BTreeMap;

use geminios_update_format::UnixTime;
use geminios_update_format::metadata::{Body, Header, RoleName, Root};

use crate::error::ReleaseError;
use crate::keys::Keys;
use crate::repository::Repository;
use crate::repository::current::Current;
use crate::repository::metadata::{self, Lifetimes, Vouchers};
use crate::repository::store::Store;

/// What a rotation did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotated {
    /// Version of the root in force.
    pub root: u64,
    /// Whether it is new. Else the keys at hand are those that it names already.
    pub new: bool,
}

impl Repository {
    /// Makes the root name the keys at hand (those outside `old/`), signed by enough keys of the root before and of its own, and
    /// signs targets, snapshot and timestamp anew. `thresholds` that are not given stay.
    ///
    /// Where enough old keys are at hand, the new metadata has both signatures and is there before the root: a reader that comes
    /// between is content. Where they are lost, the root comes first, and devices refuse the repository for that moment.
    pub fn rotate(
        &self,
        keys: &Keys,
        thresholds: &BTreeMap<RoleName, u64>,
        now: UnixTime,
        lifetimes: &Lifetimes,
    ) -> Result<Rotated, ReleaseError> {
        let store = &self.store;
        let _lock = store.lock()?;
        let current = Current::read_to_rotate(store)?;
        let root = &current.root;
        let wished = |name: RoleName| thresholds.get(&name).copied().unwrap_or(root.role(name).threshold);
        let version = root.header().version;
        let released = current.timestamp > 0;
        if RoleName::ALL
            .into_iter()
            .all(|name| names(root, name, keys) && root.role(name).threshold == wished(name))
        {
            // A rotation that was cut after its root: the rest follows.
            if released && Current::read(store).is_err() {
                let vouchers = Vouchers { keys, root, before: None };
                metadata::write(store, &current, &current.entries, &vouchers, (now, lifetimes))?;
            }
            return Ok(Rotated { root: version, new: false });
        }
        let header = Header { version: version + 1, expires: now + lifetimes.root, issued: Some(now) };
        let thresholds = RoleName::ALL.into_iter().map(|name| (name, wished(name))).collect();
        let mut unsigned = crate::keys::next_root(keys, &thresholds, &header)?;
        let next = unsigned.body().clone();
        keys.require(root, RoleName::Root)?;
        keys.require(&next, RoleName::Root)?;
        keys.sign(&mut unsigned, root)?;
        keys.sign(&mut unsigned, &next)?;
        let file = unsigned.finish_root(Some(root))?;

        let vouchers = Vouchers { keys, root: &next, before: Some(root) };
        let write = || metadata::write(store, &current, &current.entries, &vouchers, (now, lifetimes));
        let put = |store: &Store| store.put(&format!("metadata/{}", RoleName::Root.file(version + 1)), &file);
        let online = [RoleName::Targets, RoleName::Snapshot, RoleName::Timestamp];
        let both = online.into_iter().all(|role| keys.require(root, role).is_ok());
        for role in online.into_iter().filter(|_| released) {
            keys.require(&next, role)?;
        }
        match (released, both) {
            (false, _) => put(store)?,
            (true, true) => {
                write()?;
                put(store)?;
            }
            (true, false) => {
                put(store)?;
                write()?;
            }
        }
        Ok(Rotated { root: version + 1, new: true })
    }
}

/// Whether the root names for a role the keys at hand, and no others.
fn names(root: &Root, name: RoleName, keys: &Keys) -> bool {
    let at_hand = keys.current(name);
    let role = root.role(name);
    let listed = |key| role.keyids.iter().any(|id| root.key(id) == Some(key));
    role.keyids.len() == at_hand.len() && at_hand.iter().all(listed)
}

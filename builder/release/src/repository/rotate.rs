//! A new root.

use std::collections::BTreeMap;

use geminios_update_format::UnixTime;
use geminios_update_format::metadata::{Body, Header, RoleName, Root};
use geminios_update_format::write::{self, RootRole};

use crate::error::ReleaseError;
use crate::keys::Keys;
use crate::repository::Repository;
use crate::repository::current::Current;
use crate::repository::metadata::{self, Lifetimes, Since, Vouchers};
use crate::repository::store::Store;

/// Which roles change, and how many of each role's keys must sign; None: as many as now.
pub type Changes = BTreeMap<RoleName, Option<u64>>;

/// What a rotation did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotated {
    /// Version of the root in force.
    pub root: u64,
    /// Whether it is new. Else the keys at hand are those that it names already.
    pub new: bool,
}

impl Repository {
    /// Makes the root name, for the roles that change, the keys at hand (those outside `old/`); other roles stay as they are. It is
    /// signed by enough keys of the root before and of its own, and the files of those roles are signed anew.
    ///
    /// Where enough old keys are at hand, the new metadata has both signatures and is there before the root: a reader that comes
    /// between is content. Where they are lost, the root comes first, and devices refuse the repository for that moment.
    pub fn rotate(
        &self,
        keys: &Keys,
        changes: &Changes,
        now: UnixTime,
        lifetimes: &Lifetimes,
    ) -> Result<Rotated, ReleaseError> {
        let store = &self.store;
        let _lock = store.lock()?;
        let current = Current::read_to_rotate(store)?;
        let root = &current.root;
        let version = root.header().version;
        let since = since(changes).filter(|_| current.timestamp > 0);
        if !differs(root, keys, changes) {
            // A rotation that was cut after its root: the rest follows.
            if let Some(since) = since.filter(|_| Current::read(store).is_err()) {
                let vouchers = Vouchers { keys, root, before: None };
                metadata::write(store, &current, (since, &current.entries), &vouchers, (now, lifetimes))?;
            }
            return Ok(Rotated { root: version, new: false });
        }
        let header = Header { version: version + 1, expires: now + lifetimes.root, issued: Some(now) };
        let (next, file) = next(root, keys, changes, &header)?;
        let vouchers = Vouchers { keys, root: &next, before: Some(root) };
        let put = |store: &Store| store.put(&format!("metadata/{}", RoleName::Root.file(version + 1)), &file);
        let Some(since) = since else {
            put(store)?;
            return Ok(Rotated { root: version + 1, new: true });
        };
        for role in since.roles() {
            keys.require(&next, *role)?;
        }
        let write =
            || metadata::write(store, &current, (since, &current.entries), &vouchers, (now, lifetimes));
        if since.roles().iter().all(|role| keys.require(root, *role).is_ok()) {
            write()?;
            put(store)?;
        } else {
            put(store)?;
            write()?;
        }
        Ok(Rotated { root: version + 1, new: true })
    }

    /// Whether [`Repository::rotate`] has something to do: other keys are at hand than the root names, or it was cut.
    pub fn rotation_is_due(&self, keys: &Keys, changes: &Changes) -> Result<bool, ReleaseError> {
        let current = Current::read_to_rotate(&self.store)?;
        Ok(differs(&current.root, keys, changes) || Current::read(&self.store).is_err())
    }
}

/// The next root and its file, signed.
fn next(
    root: &Root,
    keys: &Keys,
    changes: &Changes,
    header: &Header,
) -> Result<(Root, Vec<u8>), ReleaseError> {
    let role = |name: RoleName| {
        let stays = root.role(name);
        let role = match changes.get(&name) {
            Some(wish) => RootRole { keys: keys.current(name), threshold: wish.unwrap_or(stays.threshold) },
            None => RootRole {
                keys: stays.keyids.iter().filter_map(|id| root.key(id)).copied().collect(),
                threshold: stays.threshold,
            },
        };
        (name, role)
    };
    let mut unsigned = write::root(header, &RoleName::ALL.into_iter().map(role).collect())?;
    let next = unsigned.body().clone();
    keys.require(root, RoleName::Root)?;
    keys.require(&next, RoleName::Root)?;
    keys.sign(&mut unsigned, root)?;
    keys.sign(&mut unsigned, &next)?;
    let file = unsigned.finish_root(Some(root))?;
    Ok((next, file))
}

/// What has to be signed anew; nothing if only the root's own keys change.
fn since(changes: &Changes) -> Option<Since> {
    let of = |role: &RoleName| match role {
        RoleName::Root => None,
        RoleName::Targets => Some(Since::Targets),
        RoleName::Snapshot => Some(Since::Snapshot),
        RoleName::Timestamp => Some(Since::Timestamp),
    };
    changes.keys().filter_map(of).min()
}

/// Whether the root names for a role that changes other keys than those at hand, or another threshold than wished.
fn differs(root: &Root, keys: &Keys, changes: &Changes) -> bool {
    changes.iter().any(|(name, wish)| {
        let (at_hand, role) = (keys.current(*name), root.role(*name));
        let listed = |key| role.keyids.iter().any(|id| root.key(id) == Some(key));
        let same = role.keyids.len() == at_hand.len() && at_hand.iter().all(listed);
        !same || wish.is_some_and(|wish| wish != role.threshold)
    })
}

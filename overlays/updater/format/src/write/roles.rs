//! The signed part of each role, from plain values.

use std::collections::BTreeMap;

use semver::Version;

use crate::digest::Digest;
use crate::error::Error;
use crate::json::Value;
use crate::key::PublicKey;
use crate::metadata::{Hashes, Header, Meta, RoleName, Root, Snapshot, Targets, Timestamp};
use crate::time;

use super::Unsigned;

/// The version of the specification that the files name.
const SPECIFICATION: &str = "1.0.34";

/// Who signs for a role.
#[derive(Clone, Debug)]
pub struct RootRole {
    pub keys: Vec<PublicKey>,
    pub threshold: u64,
}

/// A file to list.
#[derive(Clone, Debug)]
pub struct TargetEntry {
    /// Bytes.
    pub length: u64,
    pub sha256: Digest,
    pub custom: Option<Value>,
}

impl TargetEntry {
    pub fn of(bytes: &[u8], custom: Option<Value>) -> Self {
        TargetEntry { length: bytes.len() as u64, sha256: Digest::of(bytes), custom }
    }

    /// What [`crate::client::Trusted::releases`] reads.
    pub fn release_custom(
        profile: &str,
        board: &str,
        arch: &str,
        channels: &[&str],
        version: &Version,
    ) -> Value {
        Value::from([
            ("arch", arch.into()),
            ("board", board.into()),
            ("channels", Value::List(channels.iter().map(|channel| Value::from(*channel)).collect())),
            ("profile", profile.into()),
            ("version", version.to_string().into()),
        ])
    }
}

/// TUF 4.3.
pub fn root(header: &Header, roles: &BTreeMap<RoleName, RootRole>) -> Result<Unsigned<Root>, Error> {
    let all = roles.values().flat_map(|role| &role.keys);
    let keys = Value::Map(all.map(|key| (key.id().0, key.value())).collect());
    let role = |(name, role): (&RoleName, &RootRole)| {
        let keyids = role.keys.iter().map(|key| key.id().0.into()).collect();
        let value = Value::from([("keyids", Value::List(keyids)), ("threshold", role.threshold.into())]);
        (name.as_str().to_owned(), value)
    };
    let members = [
        ("consistent_snapshot", Value::Bool(true)),
        ("keys", keys),
        ("roles", Value::Map(roles.iter().map(role).collect())),
    ];
    Unsigned::new(signed(RoleName::Root, header, members))
}

/// TUF 4.5. The names must be those that [`crate::name::TargetName`] allows.
pub fn targets(header: &Header, entries: &BTreeMap<String, TargetEntry>) -> Result<Unsigned<Targets>, Error> {
    let entry = |(name, entry): (&String, &TargetEntry)| {
        let hashes = Hashes { sha256: Some(entry.sha256), sha512: None };
        let mut members = BTreeMap::from([
            ("hashes".to_owned(), hashes.value()),
            ("length".to_owned(), entry.length.into()),
        ]);
        members.extend(entry.custom.clone().map(|custom| ("custom".to_owned(), custom)));
        (name.clone(), Value::Map(members))
    };
    let targets = Value::Map(entries.iter().map(entry).collect());
    Unsigned::new(signed(RoleName::Targets, header, [("targets", targets)]))
}

/// TUF 4.4. `targets` is the version and the finished file.
pub fn snapshot(header: &Header, targets: (u64, &[u8])) -> Result<Unsigned<Snapshot>, Error> {
    let meta = Value::from([("targets.json", Meta::of(targets.0, targets.1).value())]);
    Unsigned::new(signed(RoleName::Snapshot, header, [("meta", meta)]))
}

/// TUF 4.6. `snapshot` is the version and the finished file.
pub fn timestamp(header: &Header, snapshot: (u64, &[u8])) -> Result<Unsigned<Timestamp>, Error> {
    let meta = Value::from([("snapshot.json", Meta::of(snapshot.0, snapshot.1).value())]);
    Unsigned::new(signed(RoleName::Timestamp, header, [("meta", meta)]))
}

fn signed<const N: usize>(role: RoleName, header: &Header, members: [(&str, Value); N]) -> Value {
    let issued = header.issued.map(|issued| ("issued".to_owned(), Value::from(time::format(issued))));
    let own = [
        ("_type", Value::from(role.as_str())),
        ("expires", time::format(header.expires).into()),
        ("spec_version", SPECIFICATION.into()),
        ("version", header.version.into()),
    ];
    let all = own.into_iter().chain(members).map(|(name, value)| (name.to_owned(), value));
    Value::Map(all.chain(issued).collect())
}

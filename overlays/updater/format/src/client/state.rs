//! What a device remembers between runs: the trusted root, and the highest versions and times that were signed.

use std::collections::{BTreeMap, BTreeSet};

use crate::digest::{hex, to_hex};
use crate::error::{Error, Problem};
use crate::fields::Field;
use crate::json::{Limits, Value};
use crate::key::KeyId;
use crate::metadata::{Body, Envelope, Meta, RoleName, Root, Snapshot, Timestamp};
use crate::time::{self, UnixTime};

const FILE: &str = "trust state";
const LIMITS: Limits = Limits { bytes: 1 << 20, depth: 8, values: 10_000 };

type PublicKeys = BTreeSet<[u8; 32]>;

/// The trusted state. The caller keeps it as one file, replaced atomically, so that no power cut leaves a half of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    root: Root,
    root_file: String,
    timestamp: Option<SeenTimestamp>,
    snapshot: Option<SeenSnapshot>,
}

/// Of the last timestamp.json that was trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SeenTimestamp {
    pub version: u64,
    pub expires: UnixTime,
    /// The latest of all that these keys signed.
    pub issued: UnixTime,
    pub snapshot: Meta,
    pub signers: PublicKeys,
}

/// Of the last snapshot.json that was trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SeenSnapshot {
    pub version: u64,
    pub issued: UnixTime,
    pub versions: BTreeMap<String, u64>,
    pub signers: PublicKeys,
}

impl SeenTimestamp {
    pub fn of(body: &Timestamp, signers: PublicKeys) -> Self {
        let header = body.header();
        let issued = header.issued.unwrap_or(0);
        let snapshot = body.snapshot.clone();
        SeenTimestamp { version: header.version, expires: header.expires, issued, snapshot, signers }
    }
}

impl SeenSnapshot {
    pub fn of(body: &Snapshot, signers: PublicKeys) -> Self {
        let header = body.header();
        let issued = header.issued.unwrap_or(0);
        SeenSnapshot { version: header.version, issued, versions: body.versions(), signers }
    }
}

impl Root {
    /// The keys behind ids: a later root may give an id to another key.
    pub(super) fn public(&self, ids: &BTreeSet<KeyId>) -> PublicKeys {
        ids.iter().filter_map(|id| self.key(id)).map(|key| key.to_bytes()).collect()
    }

    /// Whether what these keys signed would still be valid for the role.
    fn still_trusts(&self, name: RoleName, signers: &PublicKeys) -> bool {
        let role = self.role(name);
        (self.public(&role.keyids).intersection(signers).count() as u64) >= role.threshold
    }
}

impl State {
    /// Of the root.json that the image brings (TUF 5.2). It must be signed by its own keys; its expiry does not matter.
    pub fn of_root(file: &[u8]) -> Result<Self, Error> {
        let envelope = Envelope::<Root>::parse("root.json of the image", file)?;
        envelope.signers(envelope.unverified())?;
        let root_file = String::from_utf8_lossy(file).into_owned();
        Ok(State { root: envelope.into_body(), root_file, timestamp: None, snapshot: None })
    }

    pub fn root(&self) -> &Root {
        &self.root
    }

    /// The latest time that signed data proves to have passed; 0 if none does.
    pub fn floor(&self) -> UnixTime {
        let root = self.root.header().issued.unwrap_or(0);
        let timestamp = self.timestamp.as_ref().map_or(0, |seen| seen.issued);
        let snapshot = self.snapshot.as_ref().map_or(0, |seen| seen.issued);
        root.max(timestamp).max(snapshot)
    }

    pub(super) fn timestamp(&self) -> Option<&SeenTimestamp> {
        self.timestamp.as_ref()
    }

    pub(super) fn snapshot(&self) -> Option<&SeenSnapshot> {
        self.snapshot.as_ref()
    }

    pub(super) fn set_root(&mut self, root: Root, file: &[u8]) {
        self.root = root;
        self.root_file = String::from_utf8_lossy(file).into_owned();
    }

    pub(super) fn set_timestamp(&mut self, mut new: SeenTimestamp) {
        new.issued = new.issued.max(self.timestamp.as_ref().map_or(0, |seen| seen.issued));
        self.timestamp = Some(new);
    }

    pub(super) fn set_snapshot(&mut self, mut new: SeenSnapshot) {
        new.issued = new.issued.max(self.snapshot.as_ref().map_or(0, |seen| seen.issued));
        self.snapshot = Some(new);
    }

    /// TUF 5.3.11: what was signed by keys that are rotated away is forgotten, versions and times, so that a thief of keys
    /// who raised them does not lock the devices out for good. Both files go together, as the specification says.
    pub(super) fn forget_rotated(&mut self) {
        let timestamp = self.timestamp.as_ref().map(|seen| (RoleName::Timestamp, &seen.signers));
        let snapshot = self.snapshot.as_ref().map(|seen| (RoleName::Snapshot, &seen.signers));
        let seen = [timestamp, snapshot];
        if !seen.into_iter().flatten().all(|(role, signers)| self.root.still_trusts(role, signers)) {
            self.timestamp = None;
            self.snapshot = None;
        }
    }

    /// The file to keep.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut members = vec![("format", Value::from(1)), ("root", self.root_file.as_str().into())];
        if let Some(seen) = &self.timestamp {
            let value = Value::from([
                ("expires", time::format(seen.expires).into()),
                ("issued", time::format(seen.issued).into()),
                ("signers", signers_value(&seen.signers)),
                ("snapshot", seen.snapshot.value()),
                ("version", seen.version.into()),
            ]);
            members.push(("timestamp", value));
        }
        if let Some(seen) = &self.snapshot {
            let versions = seen.versions.iter().map(|(name, version)| (name.clone(), Value::from(*version)));
            let value = Value::from([
                ("issued", time::format(seen.issued).into()),
                ("signers", signers_value(&seen.signers)),
                ("version", seen.version.into()),
                ("versions", Value::Map(versions.collect())),
            ]);
            members.push(("snapshot", value));
        }
        Value::Map(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()).file()
    }

    /// Reads what [`State::to_bytes`] wrote. If it is damaged, the caller may begin anew from the image's root, and loses
    /// what protects from older metadata; it should say so.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let malformed = |reason| Error::Malformed { file: FILE.to_owned(), problem: Problem::Json(reason) };
        if bytes.len() as u64 > LIMITS.bytes {
            return Err(Error::TooLong { file: FILE.to_owned(), limit: LIMITS.bytes });
        }
        let value = crate::json::parse(bytes, &LIMITS).map_err(malformed)?;
        let top = Field::top(FILE, &value);
        top.only(&["format", "root", "snapshot", "timestamp"])?;
        top.get("format")?.number(1..=1)?;
        let mut state = State::of_root(top.get("root")?.text()?.as_bytes())?;
        state.timestamp = top.optional("timestamp")?.map(|field| read_timestamp(&field)).transpose()?;
        state.snapshot = top.optional("snapshot")?.map(|field| read_snapshot(&field)).transpose()?;
        Ok(state)
    }
}

fn signers_value(signers: &PublicKeys) -> Value {
    Value::List(signers.iter().map(|key| to_hex(key).into()).collect())
}

fn read_signers(field: &Field<'_>) -> Result<PublicKeys, Error> {
    let key = |entry: Field<'_>| {
        let bytes = hex(entry.text()?).and_then(|bytes| bytes.try_into().ok());
        bytes.ok_or_else(|| entry.wrong("64 hexadecimal digits"))
    };
    field.list()?.into_iter().map(key).collect()
}

fn read_timestamp(field: &Field<'_>) -> Result<SeenTimestamp, Error> {
    field.only(&["expires", "issued", "signers", "snapshot", "version"])?;
    Ok(SeenTimestamp {
        version: field.get("version")?.number(1..=u64::MAX)?,
        expires: field.get("expires")?.time()?,
        issued: field.get("issued")?.time()?,
        snapshot: Meta::read(&field.get("snapshot")?)?,
        signers: read_signers(&field.get("signers")?)?,
    })
}

fn read_snapshot(field: &Field<'_>) -> Result<SeenSnapshot, Error> {
    field.only(&["issued", "signers", "version", "versions"])?;
    let versions = field.get("versions")?.members()?.into_iter();
    Ok(SeenSnapshot {
        version: field.get("version")?.number(1..=u64::MAX)?,
        issued: field.get("issued")?.time()?,
        versions: versions
            .map(|(name, version)| Ok((name.to_owned(), version.number(1..=u64::MAX)?)))
            .collect::<Result<_, Error>>()?,
        signers: read_signers(&field.get("signers")?)?,
    })
}

/// A version may stay or rise.
pub(super) fn rolled_back(file: &str, what: &str, trusted: u64, seen: u64) -> Result<(), Error> {
    if seen < trusted {
        return Err(Error::Rollback { file: file.to_owned(), what: what.to_owned(), trusted, seen });
    }
    Ok(())
}

//! The checks of each step, in the order of the specification.

use crate::error::{Error, Now};
use crate::metadata::{Body, Envelope, Meta, RoleName, Root, Snapshot, Targets, Timestamp};
use crate::time::UnixTime;

use super::state::{SeenSnapshot, SeenTimestamp, rolled_back};
use super::{Client, Fetch, ROOTS, Stage, State, Trusted};

pub(super) fn root(state: &State) -> Fetch {
    let next = state.root().header().version.saturating_add(1);
    let max_length = RoleName::Root.limits().bytes;
    Fetch { name: RoleName::Root.file(next), max_length, hashes: None, optional: true }
}

pub(super) fn timestamp() -> Fetch {
    let max_length = RoleName::Timestamp.limits().bytes;
    Fetch { name: RoleName::Timestamp.file(0), max_length, hashes: None, optional: false }
}

pub(super) fn snapshot(meta: &Meta) -> Fetch {
    listed(RoleName::Snapshot, meta)
}

pub(super) fn targets(meta: &Meta) -> Fetch {
    listed(RoleName::Targets, meta)
}

fn listed(role: RoleName, meta: &Meta) -> Fetch {
    let most = role.limits().bytes;
    let max_length = meta.length.unwrap_or(most).min(most);
    Fetch { name: role.file(meta.version), max_length, hashes: meta.hashes.clone(), optional: false }
}

impl Client {
    /// TUF 5.3.4 to 5.3.8: the next root, signed by the keys of the old and of the new one.
    pub(super) fn root(&mut self, bytes: &[u8]) -> Result<Stage, Error> {
        let Fetch { name, .. } = root(&self.state);
        let envelope = Envelope::<Root>::parse(&name, bytes)?;
        envelope.signers(self.state.root())?;
        envelope.signers(envelope.unverified())?;
        let expected = self.state.root().header().version.saturating_add(1);
        let seen = envelope.unverified().header().version;
        if seen != expected {
            let because = "as its name says: roots follow one by one";
            return Err(Error::Version { file: name, expected, seen, because });
        }
        self.state.set_root(envelope.into_body(), bytes);
        self.roots += 1;
        if self.roots == ROOTS { self.last_root() } else { Ok(Stage::Root) }
    }

    /// TUF 5.3.11, then 5.3.10: what the last root's keys did not sign is forgotten, and that root must not be expired. In this
    /// order, because a time that a rotated key signed must not judge the root that puts it right.
    pub(super) fn last_root(&mut self) -> Result<Stage, Error> {
        self.state.forget_rotated();
        self.judge_root()?;
        Ok(Stage::Timestamp)
    }

    fn judge_root(&mut self) -> Result<(), Error> {
        self.now.floor = self.state.floor().max(self.built);
        let root = self.state.root().header();
        fresh(&RoleName::Root.file(root.version), root.expires, self.now)
    }

    /// TUF 5.4.2 to 5.4.5.
    pub(super) fn timestamp(&mut self, bytes: &[u8]) -> Result<Stage, Error> {
        let Fetch { name, .. } = timestamp();
        let envelope = Envelope::<Timestamp>::parse(&name, bytes)?;
        let signers = envelope.signers(self.state.root())?;
        let mut new = SeenTimestamp::of(&envelope.into_body(), self.state.root().public(&signers));
        if let Some(trusted) = self.state.timestamp() {
            rolled_back(&name, "its version", trusted.version, new.version)?;
            // The same again: what was trusted then counts, and the run goes on with it. It may have been cut there (5.4.3.1).
            if new.version == trusted.version {
                new = trusted.clone();
            }
            rolled_back(
                &name,
                "the version of snapshot.json",
                trusted.snapshot.version,
                new.snapshot.version,
            )?;
        }
        fresh(&name, new.expires, self.now)?;
        let meta = new.snapshot.clone();
        self.state.set_timestamp(new);
        // The repository was alive at that time: on a device without a clock this is as good as one.
        self.judge_root()?;
        Ok(Stage::Snapshot(meta))
    }

    /// TUF 5.5.2 to 5.5.7.
    pub(super) fn snapshot(&mut self, meta: &Meta, bytes: &[u8]) -> Result<Stage, Error> {
        let name = RoleName::Snapshot.file(meta.version);
        meta.check(&name, bytes, "timestamp.json")?;
        let envelope = Envelope::<Snapshot>::parse(&name, bytes)?;
        let signers = envelope.signers(self.state.root())?;
        let body = envelope.into_body();
        let new = SeenSnapshot::of(&body, self.state.root().public(&signers));
        if new.version != meta.version {
            let because = "as timestamp.json lists it";
            return Err(Error::Version { file: name, expected: meta.version, seen: new.version, because });
        }
        for (entry, &trusted) in self.state.snapshot().iter().flat_map(|trusted| &trusted.versions) {
            let Some(&seen) = new.versions.get(entry) else {
                return Err(Error::Vanished { file: name, entry: entry.clone(), trusted });
            };
            rolled_back(&name, &format!("the version of {entry}"), trusted, seen)?;
        }
        fresh(&name, body.header().expires, self.now)?;
        let targets = body.targets().clone();
        self.state.set_snapshot(new);
        Ok(Stage::Targets(targets))
    }

    /// TUF 5.6.2 to 5.6.5. There is nothing to keep of it: its version is in the snapshot.
    pub(super) fn targets(&mut self, meta: &Meta, bytes: &[u8]) -> Result<Trusted, Error> {
        let name = RoleName::Targets.file(meta.version);
        meta.check(&name, bytes, "snapshot.json")?;
        let envelope = Envelope::<Targets>::parse(&name, bytes)?;
        envelope.signers(self.state.root())?;
        let body = envelope.into_body();
        let header = body.header();
        if header.version != meta.version {
            let because = "as snapshot.json lists it";
            return Err(Error::Version { file: name, expected: meta.version, seen: header.version, because });
        }
        fresh(&name, header.expires, self.now)?;
        Ok(Trusted::new(&self.state, body))
    }
}

/// TUF 5.3.10, 5.4.4, 5.5.6, 5.6.5: the expiry must be later than now.
fn fresh(file: &str, expires: UnixTime, now: Now) -> Result<(), Error> {
    if expires <= now.time() {
        return Err(Error::Expired { file: file.to_owned(), expires, now });
    }
    Ok(())
}

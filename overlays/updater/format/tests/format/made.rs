//! Small repositories, made with the crate's own writer, and a client that reads them from a folder in memory.
#![allow(dead_code)]

use std::collections::BTreeMap;

use ed25519_dalek::{Signer as _, SigningKey};
use geminios_update_format::key::PublicKey;
use geminios_update_format::metadata::{Body, Header, RoleName, Root};
use geminios_update_format::time::{self, DAY, UnixTime};
use geminios_update_format::write::{self, RootRole, TargetEntry, Unsigned};
use geminios_update_format::{Client, Error, State, Step, Trusted};

/// 2026-11-27T12:00:00Z.
pub const NOW: UnixTime = 1_795_780_800;

/// The files of a repository by their path.
pub type Files = BTreeMap<String, Vec<u8>>;

pub struct Pair(SigningKey);

impl Pair {
    pub fn new(seed: u8) -> Self {
        Pair(SigningKey::from_bytes(&[seed; 32]))
    }

    pub fn public(&self) -> PublicKey {
        PublicKey::from_bytes(self.0.verifying_key().as_bytes()).unwrap()
    }

    pub fn sign<T: Body>(&self, unsigned: &mut Unsigned<T>) {
        let signature = self.0.sign(&unsigned.signing_bytes()).to_bytes();
        unsigned.add(&self.public().id(), &self.public(), &signature).unwrap();
    }

    pub fn sign_bytes(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

/// What is to be published.
#[derive(Clone)]
pub struct Plan {
    /// Seeds of keys and the threshold, of each role.
    pub roles: BTreeMap<RoleName, (Vec<u8>, u64)>,
    pub version: u64,
    pub issued: UnixTime,
    pub expires: UnixTime,
    pub targets: BTreeMap<String, (Vec<u8>, Option<geminios_update_format::json::Value>)>,
}

impl Plan {
    pub fn new() -> Self {
        let roles = RoleName::ALL.into_iter().zip(1..).map(|(name, seed)| (name, (vec![seed], 1))).collect();
        let targets = BTreeMap::from([("a/b.txt".to_owned(), (b"contents".to_vec(), None))]);
        Plan { roles, version: 1, issued: NOW - DAY, expires: NOW + 30 * DAY, targets }
    }

    pub fn header(&self, version: u64) -> Header {
        Header { version, expires: self.expires, issued: Some(self.issued) }
    }

    fn sign<T: Body>(&self, role: RoleName, unsigned: &mut Unsigned<T>) {
        let (seeds, threshold) = &self.roles[&role];
        seeds.iter().take(*threshold as usize).for_each(|seed| Pair::new(*seed).sign(unsigned));
    }

    pub fn root_unsigned(&self, version: u64) -> Unsigned<Root> {
        let role = |(name, (seeds, threshold)): (&RoleName, &(Vec<u8>, u64))| {
            let keys = seeds.iter().map(|seed| Pair::new(*seed).public()).collect();
            (*name, RootRole { keys, threshold: *threshold })
        };
        write::root(&self.header(version), &self.roles.iter().map(role).collect()).unwrap()
    }

    /// Adds `VERSION.root.json`, signed by its own keys and by those of `before`.
    pub fn root(&self, version: u64, before: Option<&Plan>, files: &mut Files) -> Vec<u8> {
        let mut unsigned = self.root_unsigned(version);
        self.sign(RoleName::Root, &mut unsigned);
        if let Some(before) = before {
            before.sign(RoleName::Root, &mut unsigned);
        }
        let before = before.map(|plan| plan.root_unsigned(version - 1).body().clone());
        let file = unsigned.finish_root(before.as_ref()).unwrap();
        files.insert(format!("metadata/{version}.root.json"), file.clone());
        file
    }

    /// Adds targets, snapshot and timestamp, all of version `self.version`.
    pub fn publish(&self, files: &mut Files) {
        let root = self.root_unsigned(1).body().clone();
        let header = self.header(self.version);
        let entries = self
            .targets
            .iter()
            .map(|(name, (bytes, custom))| (name.clone(), TargetEntry::of(bytes, custom.clone())));
        let mut targets = write::targets(&header, &entries.collect()).unwrap();
        self.sign(RoleName::Targets, &mut targets);
        for target in targets.body().targets.values() {
            let bytes = self.targets[target.name.as_str()].0.clone();
            files.insert(format!("targets/{}", target.path()), bytes);
        }
        let targets = targets.finish(&root).unwrap();
        let mut snapshot = write::snapshot(&header, (self.version, &targets)).unwrap();
        self.sign(RoleName::Snapshot, &mut snapshot);
        let snapshot = snapshot.finish(&root).unwrap();
        let mut timestamp = write::timestamp(&header, (self.version, &snapshot)).unwrap();
        self.sign(RoleName::Timestamp, &mut timestamp);
        files.insert(format!("metadata/{}.targets.json", self.version), targets);
        files.insert(format!("metadata/{}.snapshot.json", self.version), snapshot);
        files.insert("metadata/timestamp.json".to_owned(), timestamp.finish(&root).unwrap());
    }

    /// Root 1 and the rest; and what the image would bring.
    pub fn repository(&self) -> (Files, State) {
        let mut files = Files::new();
        let root = self.root(1, None, &mut files);
        self.publish(&mut files);
        (files, State::of_root(&root).unwrap())
    }
}

/// Runs the client to its end; the state is what a device would have kept.
pub fn refresh(files: &Files, state: &mut State, clock: UnixTime) -> Result<Trusted, Error> {
    refresh_by(&|name| files.get(&format!("metadata/{name}")).cloned(), state, clock)
}

pub fn refresh_by(
    server: &dyn Fn(&str) -> Option<Vec<u8>>,
    state: &mut State,
    clock: UnixTime,
) -> Result<Trusted, Error> {
    let mut client = Client::start(state.clone(), clock, 0);
    let end = run(server, &mut client);
    // What a device keeps is what it wrote and read again.
    *state = State::parse(&client.state().to_bytes()).unwrap();
    assert_eq!(state, client.state());
    end
}

fn run(server: &dyn Fn(&str) -> Option<Vec<u8>>, client: &mut Client) -> Result<Trusted, Error> {
    let mut step = client.step();
    loop {
        step = match step {
            Step::Done(trusted) => return Ok(trusted),
            Step::Fetch(fetch) => match server(&fetch.name) {
                // As a caller that stops reading one byte beyond the bound.
                Some(bytes) => client.take(&bytes[..bytes.len().min(fetch.max_length as usize + 1)])?,
                None => client.absent()?,
            },
        };
    }
}

pub fn date(text: &str) -> UnixTime {
    time::parse(text).unwrap()
}

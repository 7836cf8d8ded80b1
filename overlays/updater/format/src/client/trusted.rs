//! What a finished run allows: the signed targets, and the releases among them.

use std::collections::BTreeMap;

use semver::Version;

use crate::error::Error;
use crate::fields::Field;
use crate::metadata::{Body, Target, Targets};
use crate::name::{TargetName, is_label, version};
use crate::release::Release;
use crate::time::UnixTime;

use super::State;

/// Verified, current metadata. Only a [`super::Client`] makes it.
#[derive(Clone, Debug)]
pub struct Trusted {
    targets: BTreeMap<TargetName, Target>,
    floor: UnixTime,
    versions: [u64; 2],
}

/// A release as targets.json lists it. Every member was compared with the target's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub target: Target,
    pub profile: String,
    pub board: String,
    pub arch: String,
    /// Never empty: a release that is promoted is listed for a further channel.
    pub channels: Vec<String>,
    pub version: Version,
}

impl Trusted {
    pub(super) fn new(state: &State, targets: Targets) -> Self {
        let versions = [state.root().header().version, targets.header().version];
        Trusted { targets: targets.targets, floor: state.floor(), versions }
    }

    /// Version of the trusted root.
    pub fn root_version(&self) -> u64 {
        self.versions[0]
    }

    /// Version of the trusted targets.
    pub fn targets_version(&self) -> u64 {
        self.versions[1]
    }

    /// The latest time that signed data proves to have passed.
    pub fn floor(&self) -> UnixTime {
        self.floor
    }

    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        self.targets.values()
    }

    /// TUF 5.7.2.
    pub fn target(&self, name: &TargetName) -> Result<&Target, Error> {
        self.targets.get(name).ok_or_else(|| Error::NoTarget { name: name.to_string() })
    }

    /// All releases. One that is listed wrongly is an error: the list is signed as a whole.
    pub fn releases(&self) -> Result<Vec<Listed>, Error> {
        let named = |target: &&Target| target.name.as_str().ends_with("/release.json");
        self.targets.values().filter(named).map(listed).collect()
    }

    /// The newest release for a device and channel.
    pub fn newest(
        &self,
        profile: &str,
        board: &str,
        arch: &str,
        channel: &str,
    ) -> Result<Option<Listed>, Error> {
        let fits = |release: &Listed| {
            (release.profile.as_str(), release.board.as_str(), release.arch.as_str())
                == (profile, board, arch)
                && release.channels.iter().any(|own| own == channel)
        };
        let releases = self.releases()?.into_iter().filter(fits);
        Ok(releases.max_by(|one, other| one.version.cmp(&other.version)))
    }

    /// The release's index, from the bytes of its target.
    pub fn open(&self, listed: &Listed, bytes: &[u8]) -> Result<Release, Error> {
        self.target(&listed.target.name)?.check(bytes)?;
        let file = listed.target.name.as_str();
        let release = Release::parse(file, bytes)?;
        let said = [
            ("profile", &release.profile, &listed.profile),
            ("board", &release.board, &listed.board),
            ("arch", &release.arch, &listed.arch),
            ("version", &release.version.to_string(), &listed.version.to_string()),
        ];
        if let Some((field, seen, expected)) = said.into_iter().find(|(_, seen, expected)| seen != expected) {
            let (expected, seen) = (expected.clone(), seen.clone());
            return Err(Error::Swapped { file: file.to_owned(), field, expected, seen });
        }
        Ok(release)
    }
}

fn listed(target: &Target) -> Result<Listed, Error> {
    let name = target.name.as_str();
    let none = crate::json::Value::Null;
    let custom = Field::top(name, target.custom.as_ref().unwrap_or(&none));
    custom.only(&["arch", "board", "channels", "profile", "version"])?;
    let label = |field: &Field<'_>| {
        let text = field.text()?;
        if is_label(text) { Ok(text.to_owned()) } else { Err(field.wrong("a name of a-z, 0-9, - _ and .")) }
    };
    let field = custom.get("version")?;
    let version = version(field.text()?).ok_or_else(|| field.wrong("a version like 2026.11.1"))?;
    let channels = custom.get("channels")?;
    let listed = Listed {
        target: target.clone(),
        profile: label(&custom.get("profile")?)?,
        board: label(&custom.get("board")?)?,
        arch: label(&custom.get("arch")?)?,
        channels: channels.list()?.iter().map(label).collect::<Result<_, _>>()?,
        version,
    };
    if listed.channels.is_empty() {
        return Err(channels.wrong("at least one channel"));
    }
    let expected = format!("{}/{}/{}/release.json", listed.profile, listed.board, listed.version);
    if name != expected {
        let seen = name.to_owned();
        return Err(Error::Swapped { file: "targets.json".to_owned(), field: "name", expected, seen });
    }
    Ok(listed)
}

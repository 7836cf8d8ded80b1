//! What a repository has for this device.

use geminios_update_format::UnixTime;
use geminios_update_format::client::{Listed, Trusted};
use geminios_update_format::release::{Blob, Device, Release};
use semver::Version;

use crate::supply::{Supply, SupplyError, Trust, blob, release};

/// Most bytes of release notes that are fetched to be shown.
const NOTES: u64 = 64 << 10;

/// A signed release, with the place that has it.
#[derive(Clone, Debug)]
pub struct Offer {
    pub listed: Listed,
    pub release: Release,
    pub place: String,
}

/// The newest release in a channel, or the one of a version, whatever its channel. None: the repository is well, and has nothing.
///
/// # Errors
/// Nothing may be believed of the repository, or it cannot be reached; the version that was asked for is not there.
pub fn offered(
    trust: &mut Trust,
    supply: &mut dyn Supply,
    device: &Device,
    wanted: (&str, Option<&Version>),
    time: (UnixTime, UnixTime),
) -> Result<Option<Offer>, SupplyError> {
    let trusted = trust.refresh(supply, time.0, time.1)?;
    let (channel, version) = wanted;
    let listed = match version {
        None => trusted.newest(&device.profile, &device.board, &device.arch, channel)?,
        Some(version) => Some(of_version(&trusted, device, version, &supply.place())?),
    };
    let Some(listed) = listed else { return Ok(None) };
    let release = release(&trusted, &listed, supply)?;
    Ok(Some(Offer { listed, release, place: supply.place() }))
}

/// Of another architecture too: then it is refused by its name and reason.
fn of_version(
    trusted: &Trusted,
    device: &Device,
    version: &Version,
    place: &str,
) -> Result<Listed, SupplyError> {
    let all = trusted.releases()?;
    let ours = |listed: &&Listed| listed.profile == device.profile && listed.board == device.board;
    if let Some(found) = all.iter().filter(ours).find(|listed| listed.version == *version) {
        return Ok(found.clone());
    }
    let mut there: Vec<&Version> = all.iter().filter(ours).map(|listed| &listed.version).collect();
    there.sort();
    let there: Vec<String> = there.iter().rev().take(5).map(ToString::to_string).collect();
    let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
    let (profile, board) = (&device.profile, &device.board);
    Err(SupplyError::Place {
        what: format!(
            "{place} has no release {version} of {profile} for board {board}; the newest there are: {there}"
        ),
        help: "ask for one of these",
    })
}

/// The first lines of the notes, fit for a terminal. None if there are none, or they are long.
///
/// # Errors
/// They cannot be got.
pub fn notes(
    supply: &mut dyn Supply,
    notes: Option<&Blob>,
    lines: usize,
) -> Result<Vec<String>, SupplyError> {
    let Some(notes) = notes.filter(|notes| notes.size <= NOTES) else { return Ok(Vec::new()) };
    let text = blob(supply, notes)?;
    let text = String::from_utf8_lossy(&text);
    let plain = |line: &str| line.chars().filter(|c| !c.is_control()).take(110).collect::<String>();
    Ok(text.lines().filter(|line| !line.trim().is_empty()).take(lines).map(plain).collect())
}

//! Whether a release may be installed on a device, asked before anything is downloaded.

use semver::Version;

use super::{Release, UPDATER};

/// Most Kubernetes minors that a release may go back. The API promises one: what is stored can be read by the release before
/// it (Kubernetes deprecation policy, rule 4b).
pub const KUBERNETES_BACK: u64 = 1;

/// Most Kubernetes minors that a release may go ahead: an API server must not skip one (Kubernetes version skew policy).
pub const KUBERNETES_AHEAD: u64 = 1;

/// The device, as its running system says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    pub profile: String,
    pub board: String,
    pub arch: String,
    pub version: Version,
    /// None before the first start: then there is no data to lose.
    pub data: Option<InstalledData>,
}

/// The data in /var. A number is 0 where there is none of that program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstalledData {
    pub postgresql: u64,
    pub kine_schema: u64,
    pub kubernetes_minor: u64,
}

/// Whether a person asked for an older release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Older {
    Refused,
    Allowed,
}

/// Why a release is not for this device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    #[error(
        "{version} is for {field} {release}, this device has {field} {device}\n  help: use the release of this version for {device}"
    )]
    OtherDevice { version: Version, field: &'static str, release: String, device: String },
    #[error(
        "{version} needs an updater of level {needed}, this one has level {UPDATER}\n  help: install a release between, which has a newer updater"
    )]
    Updater { version: Version, needed: u64 },
    #[error(
        "{version} is not newer than {installed}, which runs\n  help: to go back, ask for this version by name"
    )]
    NotNewer { version: Version, installed: Version },
    #[error("{version} can be installed from {from} on, {installed} runs\n  help: install {from} first")]
    TooFar { version: Version, from: Version, installed: Version },
    #[error(
        "{version} has PostgreSQL {release}, which cannot read the data of PostgreSQL {installed}\n  help: restore a backup that PostgreSQL {release} made, on a device installed anew"
    )]
    PostgresqlBack { version: Version, release: u64, installed: u64 },
    #[error(
        "{version} has PostgreSQL {release} and does not convert data of PostgreSQL {installed}\n  help: install a release between, which does"
    )]
    PostgresqlAhead { version: Version, release: u64, installed: u64 },
    #[error(
        "{version} has Kine's schema {release}, the data has schema {installed}, which it does not know\n  help: restore a backup with schema {release}, on a device installed anew"
    )]
    KineBack { version: Version, release: u64, installed: u64 },
    #[error("{version} has Kubernetes 1.{release}, the data is of 1.{installed}: it may go back by {KUBERNETES_BACK} minor\n  help: choose a release with Kubernetes 1.{} or newer", installed - KUBERNETES_BACK)]
    KubernetesBack { version: Version, release: u64, installed: u64 },
    #[error("{version} has Kubernetes 1.{release}, the data is of 1.{installed}: no minor may be skipped\n  help: install a release with Kubernetes 1.{} first", installed + KUBERNETES_AHEAD)]
    KubernetesAhead { version: Version, release: u64, installed: u64 },
}

/// The first reason against installing the release, if there is one.
pub fn check(release: &Release, device: &Device, older: Older) -> Result<(), Refusal> {
    let version = || release.version.clone();
    let same = [
        ("architecture", &release.arch, &device.arch),
        ("board", &release.board, &device.board),
        ("profile", &release.profile, &device.profile),
    ];
    if let Some((field, release, device)) = same.into_iter().find(|(_, release, device)| release != device) {
        return Err(Refusal::OtherDevice {
            version: version(),
            field,
            release: release.clone(),
            device: device.clone(),
        });
    }
    if release.updater > UPDATER {
        return Err(Refusal::Updater { version: version(), needed: release.updater });
    }
    if release.version <= device.version && older == Older::Refused {
        return Err(Refusal::NotNewer { version: version(), installed: device.version.clone() });
    }
    if let Some(from) = release.data.from.as_ref().filter(|from| device.version < **from) {
        let (from, installed) = (from.clone(), device.version.clone());
        return Err(Refusal::TooFar { version: version(), from, installed });
    }
    device.data.map_or(Ok(()), |data| data_fits(release, data))
}

/// A program that the release or the device does not have reads no data, and leaves none that must be read.
fn data_fits(release: &Release, data: InstalledData) -> Result<(), Refusal> {
    let version = release.version.clone();
    if let Some((new, installed)) = both(release.data.postgresql, data.postgresql) {
        if new < installed {
            return Err(Refusal::PostgresqlBack { version, release: new, installed });
        }
        if new > installed && !release.data.postgresql_converts.contains(&installed) {
            return Err(Refusal::PostgresqlAhead { version, release: new, installed });
        }
    }
    if let Some((new, installed)) = both(release.data.kine_schema, data.kine_schema) {
        if new < installed {
            return Err(Refusal::KineBack { version, release: new, installed });
        }
    }
    if let Some((new, installed)) = both(release.data.kubernetes_minor, data.kubernetes_minor) {
        if new.saturating_add(KUBERNETES_BACK) < installed {
            return Err(Refusal::KubernetesBack { version, release: new, installed });
        }
        if new > installed.saturating_add(KUBERNETES_AHEAD) {
            return Err(Refusal::KubernetesAhead { version, release: new, installed });
        }
    }
    Ok(())
}

fn both(new: u64, installed: u64) -> Option<(u64, u64)> {
    (new > 0 && installed > 0).then_some((new, installed))
}

//! What the running image says of itself: `/usr/lib/geminios/image.json`, which the builder writes.

use std::io;
use std::path::Path;

use geminios_update_format::release::{Device, InstalledData};
use semver::Version;
use serde::Deserialize;

/// Where the image has it.
pub const FILE: &str = "/usr/lib/geminios/image.json";
/// The first root of trust, if the profile names one.
pub const ROOT_OF_TRUST: &str = "/usr/lib/geminios/root.json";
const FORMAT: u32 = 1;

#[derive(Clone, Debug, Deserialize)]
pub struct Image {
    format: u32,
    pub profile: String,
    pub board: String,
    pub arch: String,
    pub version: Version,
    /// Seconds since 1970.
    pub built: u64,
    /// How its boot loader is told which slot to start: `bls-count`, `uboot-env`, `rpi-tryboot`.
    pub boot: String,
    pub data: Option<Data>,
    pub update: Option<Update>,
}

/// The formats of the data that its programs keep in /var; 0 for a program that it has not.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Data {
    #[serde(default)]
    pub postgresql: u64,
    #[serde(default)]
    pub kine_schema: u64,
    #[serde(default)]
    pub kubernetes_minor: u64,
}

/// Where the profile says that releases are.
#[derive(Clone, Debug, Deserialize)]
pub struct Update {
    pub url: Option<String>,
    #[serde(default = "stable")]
    pub channel: String,
}

fn stable() -> String {
    "stable".to_owned()
}

impl Image {
    /// # Errors
    /// The file is not there, or is not of this format.
    pub fn read(path: &Path) -> io::Result<Self> {
        let wrong = |problem: String| {
            io::Error::new(io::ErrorKind::InvalidData, format!("{}: {problem}", path.display()))
        };
        let image: Image =
            serde_json::from_slice(&std::fs::read(path)?).map_err(|error| wrong(error.to_string()))?;
        if image.format != FORMAT {
            return Err(wrong(format!("its format is {}, this program reads {FORMAT}", image.format)));
        }
        Ok(image)
    }

    /// As a release is compared with it.
    pub fn device(&self) -> Device {
        let data = self.data.map(|data| InstalledData {
            postgresql: data.postgresql,
            kine_schema: data.kine_schema,
            kubernetes_minor: data.kubernetes_minor,
        });
        Device {
            profile: self.profile.clone(),
            board: self.board.clone(),
            arch: self.arch.clone(),
            version: self.version.clone(),
            data,
        }
    }
}

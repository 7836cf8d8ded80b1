//! Fetches the archives' indices, each verified down from a signature by a key of the tree.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail};
use geminios_fetch::Fetcher;
use geminios_model::{Arch, ArchiveState, Digest, Progress, Unit};
use geminios_resolve::{Asked, Index, IndexFile, Key, verify_inrelease};

use crate::project::Description;

/// InRelease of trixie has 140 kB.
const LARGEST_RELEASE: u64 = 16 << 20;

/// All archives of a profile, as they are now.
pub struct Indices {
    pub index: Index,
    pub states: Vec<ArchiveState>,
}

impl Indices {
    /// Fetches and verifies them. `now` is in seconds since 1970.
    pub fn fetch(
        root: &Path,
        description: &Description,
        arches: &[Arch],
        fetcher: &Fetcher,
        now: u64,
        progress: &dyn Progress,
    ) -> Result<Self> {
        let mut indices = Indices { index: Index::new(), states: Vec::new() };
        let suites: usize = description.profile.archives.iter().map(|a| a.suites.len()).sum();
        progress.begin("index", suites as u64, Unit::Items);
        for archive in &description.profile.archives {
            let mut keys = Vec::new();
            for file in &archive.keys {
                let path = root.join("keys").join(file.as_str());
                let bytes = std::fs::read(&path).map_err(|error| {
                    description
                        .profile_source
                        .complain(file.span(), format!("key file {} cannot be read: {error}", path.display()))
                        .help("paths in `keys` begin below keys/")
                })?;
                keys.extend(Key::parse_all(&path.display().to_string(), &bytes)?);
            }
            if let Some(reason) = &archive.accept_expired {
                progress
                    .warn(&format!("archive {} may be expired, as the profile says: {reason}", archive.name));
            }
            for suite in &archive.suites {
                let asked = Asked {
                    archive: &archive.name,
                    suite,
                    now,
                    accept_expired: archive.accept_expired.is_some(),
                };
                let path = format!("dists/{suite}/InRelease");
                let bytes = fetcher.index(&archive.name, &path, LARGEST_RELEASE)?;
                let release = verify_inrelease(&bytes, &keys, &asked)?;
                for component in &archive.components {
                    for arch in arches {
                        let file =
                            release.packages_file(suite, component, arch.debian()).with_context(|| {
                                format!("{}/{suite} has no component `{component}` for {arch}", archive.name)
                            })?;
                        let text = packages(fetcher, &archive.name, &file)?;
                        indices.index.add(&archive.name, suite, &text)?;
                    }
                }
                indices.states.push(release.state(&asked));
                progress.advance("index", 1);
            }
        }
        progress
            .end("index", &format!("{} packages in {suites} suites, signatures good", indices.index.len()));
        Ok(indices)
    }
}

fn packages(fetcher: &Fetcher, archive: &str, file: &IndexFile) -> Result<Vec<u8>> {
    let packed = fetcher.index_by_digest(archive, &file.path, &file.sha256, file.size)?;
    let reader: Box<dyn Read> = match file.compression {
        "xz" => Box::new(liblzma::read::XzDecoder::new(packed.as_slice())),
        "gz" => Box::new(flate2::read::GzDecoder::new(packed.as_slice())),
        _ => Box::new(packed.as_slice()),
    };
    let (size, digest) = file.plain;
    let mut text = Vec::new();
    reader
        .take(size + 1)
        .read_to_end(&mut text)
        .with_context(|| format!("{} cannot be unpacked", file.path))?;
    if (text.len() as u64, Digest::of(&text)) != (size, digest) {
        bail!(
            "{} is not what the signed InRelease names, once unpacked\n  help: try another mirror",
            file.path
        );
    }
    Ok(text)
}

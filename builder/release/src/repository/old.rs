//! Images of older releases, unpacked from the repository itself.

use geminios_seal::Region;
use geminios_update_format::release::{Image, ImageKind, Release};

use crate::encode::decode_pieces;
use crate::error::ReleaseError;
use crate::repository::store::Store;

/// An image in a temporary file, which is deleted with this value.
pub(crate) struct Unpacked {
    pub region: Region,
    _file: tempfile::TempPath,
}

pub(crate) fn unpack(store: &Store, release: &Release, kind: ImageKind) -> Result<Unpacked, ReleaseError> {
    let image = image(release, kind);
    let place = std::env::temp_dir();
    let mut file = tempfile::NamedTempFile::new().map_err(ReleaseError::io(&place))?;
    let blob = |blob: &_| store.read_blob(blob);
    let damaged = |(file, problem)| ReleaseError::Damaged { file, problem };
    let seen = decode_pieces(&image.whole, None, &blob, &mut file).map_err(damaged)?;
    if seen != image.sha256 {
        let file = format!("release.json of {}", release.version);
        let problem = format!("{} unpacks to SHA-256 {seen}, it says {}", kind.as_str(), image.sha256);
        return Err(ReleaseError::Damaged { file, problem });
    }
    let path = file.into_temp_path();
    let region = Region::whole(&path).map_err(ReleaseError::io(&path))?;
    Ok(Unpacked { region, _file: path })
}

pub(crate) fn image(release: &Release, kind: ImageKind) -> &Image {
    match kind {
        ImageKind::Root => &release.root,
        ImageKind::Verity => &release.verity,
        ImageKind::Uki => &release.uki,
    }
}

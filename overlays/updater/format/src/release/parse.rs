//! Reading release.json: nothing unknown, nothing missing, and all sizes fit each other.

use crate::error::{Error, Problem};
use crate::fields::Field;
use crate::name::{is_label, version};

use super::{
    BASE, Blob, ChunkSet, DELTAS, DOCUMENT, DataContract, Delta, FORMAT, IMAGE, INDEX, Image, ImageKind,
    LIMITS, PIECE, PIECES, Piece, Range, Release,
};

impl Release {
    /// `file` is the name for messages.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() as u64 > LIMITS.bytes {
            return Err(Error::TooLong { file: file.to_owned(), limit: LIMITS.bytes });
        }
        let malformed = |reason| Error::Malformed { file: file.to_owned(), problem: Problem::Json(reason) };
        let value = crate::json::parse(bytes, &LIMITS).map_err(malformed)?;
        let top = Field::top(file, &value);
        let format = top.get("format")?.number(1..=u64::MAX)?;
        if format != FORMAT {
            return Err(Error::Unsupported {
                file: file.to_owned(),
                what: format!("it has format {format}, this updater reads format {FORMAT}"),
                help: "install a release between, whose updater reads it",
            });
        }
        top.only(&[
            "arch",
            "board",
            "built",
            "data",
            "format",
            "images",
            "notes",
            "profile",
            "root_hash",
            "sbom",
            "updater",
            "version",
        ])?;
        let label = |name: &str| {
            let field = top.get(name)?;
            let text = field.text()?;
            if is_label(text) {
                Ok(text.to_owned())
            } else {
                Err(field.wrong("a name of a-z, 0-9, - _ and ."))
            }
        };
        let images = top.get("images")?;
        images.only(&["root", "uki", "verity"])?;
        let document = |name: &str| top.optional(name)?.map(|field| blob(&field, DOCUMENT)).transpose();
        Ok(Release {
            version: release_version(&top.get("version")?)?,
            profile: label("profile")?,
            board: label("board")?,
            arch: label("arch")?,
            root_hash: top.get("root_hash")?.digest()?,
            built: top.get("built")?.time()?,
            updater: top.get("updater")?.number(1..=u64::MAX)?,
            data: data(&top.get("data")?)?,
            sbom: document("sbom")?,
            notes: document("notes")?,
            root: image(&images.get(ImageKind::Root.as_str())?)?,
            verity: image(&images.get(ImageKind::Verity.as_str())?)?,
            uki: image(&images.get(ImageKind::Uki.as_str())?)?,
        })
    }
}

fn release_version(field: &Field<'_>) -> Result<semver::Version, Error> {
    version(field.text()?).ok_or_else(|| field.wrong("a version like 2026.11.1"))
}

fn data(field: &Field<'_>) -> Result<DataContract, Error> {
    field.only(&["from", "kine_schema", "kubernetes_minor", "postgresql", "postgresql_converts"])?;
    let major = |field: &Field<'_>| field.number(1..=9999);
    let component = |name: &str| field.get(name)?.number(0..=9999);
    let postgresql = component("postgresql")?;
    let converts = field.get("postgresql_converts")?;
    let older: Vec<u64> = converts.list()?.iter().map(major).collect::<Result<_, _>>()?;
    if older.iter().any(|older| *older >= postgresql) || older.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(converts.wrong(format!("rising major versions below {postgresql}")));
    }
    Ok(DataContract {
        postgresql,
        postgresql_converts: older,
        kine_schema: component("kine_schema")?,
        kubernetes_minor: component("kubernetes_minor")?,
        from: field.optional("from")?.map(|from| release_version(&from)).transpose()?,
    })
}

fn blob(field: &Field<'_>, most: u64) -> Result<Blob, Error> {
    field.only(&["sha256", "size"])?;
    Ok(Blob { sha256: field.get("sha256")?.digest()?, size: field.get("size")?.number(1..=most)? })
}

fn image(field: &Field<'_>) -> Result<Image, Error> {
    field.only(&["chunks", "deltas", "sha256", "size", "whole"])?;
    let size = field.get("size")?.number(1..=IMAGE)?;
    let list = field.get("deltas")?;
    let entries = list.list()?;
    if entries.len() > DELTAS {
        return Err(list.wrong(format!("at most {DELTAS} deltas")));
    }
    let deltas: Vec<Delta> = entries.iter().map(|entry| delta(entry, size)).collect::<Result<_, _>>()?;
    for (at, delta) in deltas.iter().enumerate() {
        if deltas[..at].iter().any(|other| other.from == delta.from) {
            return Err(entries[at].wrong("one delta from each older image"));
        }
    }
    Ok(Image {
        size,
        sha256: field.get("sha256")?.digest()?,
        whole: pieces(&field.get("whole")?, size, None)?,
        chunks: field.optional("chunks")?.map(|chunks| chunk_set(&chunks)).transpose()?,
        deltas,
    })
}

fn chunk_set(field: &Field<'_>) -> Result<ChunkSet, Error> {
    field.only(&["index"])?;
    Ok(ChunkSet { index: blob(&field.get("index")?, INDEX)? })
}

fn delta(field: &Field<'_>, size: u64) -> Result<Delta, Error> {
    field.only(&["from", "from_size", "pieces"])?;
    let from_size = field.get("from_size")?.number(1..=IMAGE)?;
    let pieces = pieces(&field.get("pieces")?, size, Some(from_size))?;
    Ok(Delta { from: field.get("from")?.digest()?, from_size, pieces })
}

/// Pieces that follow each other from the first byte of the image to the last.
fn pieces(field: &Field<'_>, size: u64, base: Option<u64>) -> Result<Vec<Piece>, Error> {
    let entries = field.list()?;
    if entries.len() > PIECES {
        return Err(field.wrong(format!("at most {PIECES} pieces")));
    }
    let mut pieces: Vec<Piece> = Vec::with_capacity(entries.len());
    let mut end = 0;
    for entry in &entries {
        let piece = piece(entry, base)?;
        if piece.output.offset != end {
            let expected = format!("offset {end}, where the piece before it ends");
            return Err(entry.get("offset")?.wrong(expected));
        }
        end += piece.output.length;
        if end > size {
            return Err(entry.get("length")?.wrong(format!("pieces within the image's {size} bytes")));
        }
        pieces.push(piece);
    }
    if end != size {
        return Err(field.wrong(format!("pieces up to the image's end at {size}, not only to {end}")));
    }
    Ok(pieces)
}

fn piece(field: &Field<'_>, base: Option<u64>) -> Result<Piece, Error> {
    let names: &[&str] = match base {
        Some(_) => &["base", "blob", "length", "offset", "sha256"],
        None => &["blob", "length", "offset", "sha256"],
    };
    field.only(names)?;
    let length = field.get("length")?.number(1..=PIECE)?;
    let output = Range { offset: field.get("offset")?.number(0..=IMAGE)?, length };
    let blob = blob(&field.get("blob")?, packed(length))?;
    let base = base.map(|size| base_range(&field.get("base")?, size)).transpose()?;
    Ok(Piece { output, sha256: field.get("sha256")?.digest()?, blob, base })
}

fn base_range(field: &Field<'_>, size: u64) -> Result<Range, Error> {
    field.only(&["length", "offset"])?;
    let length = field.get("length")?.number(0..=BASE)?;
    let range = Range { offset: field.get("offset")?.number(0..=IMAGE)?, length };
    if range.offset + range.length > size {
        return Err(field.wrong(format!("a stretch within the old image's {size} bytes")));
    }
    Ok(range)
}

/// Most that zstd makes of so many bytes (ZSTD_COMPRESSBOUND in zstd.h, rounded up).
pub(super) fn packed(length: u64) -> u64 {
    length + length / 256 + 1024
}

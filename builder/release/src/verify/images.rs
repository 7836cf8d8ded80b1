//! One release: every way gives its images.

use std::collections::BTreeMap;
use std::io;

use geminios_seal::Region;
use geminios_update_format::Digest;
use geminios_update_format::release::{Blob, Chunk, ChunkIndex, Delta, Image, ImageKind, Piece, Release};
use rayon::prelude::*;
use sha2::{Digest as _, Sha256};

use crate::build::verity;
use crate::encode::{decode_pieces, unpack};
use crate::verify::{Report, Source};

/// An unpacked image, deleted with this value.
struct Unpacked {
    region: Region,
    _file: tempfile::TempPath,
}

pub(super) fn check(
    source: &Source,
    release: &Release,
    all: &BTreeMap<String, Release>,
    report: &mut Report,
) {
    let label = |kind: ImageKind| format!("{} of {}", kind.as_str(), release.version);
    for blob in release.sbom.iter().chain(&release.notes) {
        if let Err(problem) = source.blob(blob) {
            report.find(blob.path(), problem);
        }
    }
    let mut unpacked = Vec::new();
    for (kind, image) in release.images() {
        let whole = whole(source, image, &label(kind), report);
        for delta in &image.deltas {
            let what = format!("{}, delta from {}", label(kind), &delta.from.to_string()[..8]);
            if source.is_bundle() && !delta.pieces.iter().all(|piece| source.has(&piece.blob.path())) {
                continue;
            }
            self::delta(source, (image, kind, delta), all, &what, report);
        }
        chunks(source, image, &label(kind), report);
        unpacked.push(whole);
    }
    if let [Some(root), Some(tree), _] = &unpacked[..]
        && let Err(problem) = verity(&root.region, &tree.region, &release.root_hash)
    {
        report.find(label(ImageKind::Verity), problem);
    }
}

/// All blobs of pieces, each by itself: so all damage is named, not only the first.
fn blobs(source: &Source, pieces: &[Piece], report: &mut Report) -> bool {
    let wrong = |piece: &Piece| source.blob(&piece.blob).err().map(|problem| (piece.blob, problem));
    let wrong: Vec<(Blob, String)> = pieces.par_iter().filter_map(wrong).collect();
    let clean = wrong.is_empty();
    wrong.into_iter().for_each(|(blob, problem)| report.find(blob.path(), problem));
    clean
}

fn whole(source: &Source, image: &Image, what: &str, report: &mut Report) -> Option<Unpacked> {
    if !blobs(source, &image.whole, report) {
        return None;
    }
    let unpacked = image_to_file(source, image);
    unpacked.map_err(|(file, problem)| report.find(file, format!("{what}: {problem}"))).ok()
}

fn image_to_file(source: &Source, image: &Image) -> Result<Unpacked, (String, String)> {
    let failed = |error: io::Error| (std::env::temp_dir().display().to_string(), error.to_string());
    let mut file = tempfile::NamedTempFile::new().map_err(failed)?;
    let seen = decode_pieces(&image.whole, None, &|blob| source.blob(blob), &mut file)?;
    if seen != image.sha256 {
        return Err((
            "release.json".to_owned(),
            format!("its pieces make SHA-256 {seen}, expected {}", image.sha256),
        ));
    }
    let path = file.into_temp_path();
    let region = Region::whole(&path).map_err(failed)?;
    Ok(Unpacked { region, _file: path })
}

fn delta(
    source: &Source,
    (image, kind, delta): (&Image, ImageKind, &Delta),
    all: &BTreeMap<String, Release>,
    what: &str,
    report: &mut Report,
) {
    if !blobs(source, &delta.pieces, report) {
        return;
    }
    let of_base = |release: &&Release| match kind {
        ImageKind::Root => release.root_hash == delta.from,
        ImageKind::Verity => release.verity.sha256 == delta.from,
        ImageKind::Uki => release.uki.sha256 == delta.from,
    };
    let Some(base) = all.values().find(of_base) else {
        report.deltas_not_unpacked += 1;
        return;
    };
    let [(_, root), (_, verity), (_, uki)] = base.images();
    let base = match kind {
        ImageKind::Root => root,
        ImageKind::Verity => verity,
        ImageKind::Uki => uki,
    };
    if base.size != delta.from_size {
        return report
            .find(what, format!("the older image has {} bytes, not {}", base.size, delta.from_size));
    }
    // Damage of the older image is told where that is checked.
    let Ok(old) = image_to_file(source, base) else { return };
    let blob = |blob: &Blob| source.blob(blob);
    match decode_pieces(&delta.pieces, Some(&old.region), &blob, &mut io::sink()) {
        Err((file, problem)) => report.find(file, format!("{what}: {problem}")),
        Ok(seen) if seen != image.sha256 => {
            report.find(what, format!("it gives SHA-256 {seen}, expected {}", image.sha256))
        }
        Ok(_) => {}
    }
}

fn chunks(source: &Source, image: &Image, what: &str, report: &mut Report) {
    let Some(set) = &image.chunks else { return };
    if source.is_bundle() && !source.has(&set.index.path()) {
        return;
    }
    let index = match source.blob(&set.index) {
        Ok(bytes) => ChunkIndex::parse(&bytes, image).map_err(|error| error.to_string()),
        Err(problem) => Err(problem),
    };
    let index = match index {
        Ok(index) => index,
        Err(problem) => return report.find(set.index.path(), format!("{what}: {problem}")),
    };
    // Frames lie in the packs in the image's order, but repeated chunks look back: so each pack is read once, in its order, and
    // the whole is vouched for by the chunks' digests and their order.
    let mut first: Vec<&Chunk> = index.chunks.iter().collect();
    first.sort_by_key(|chunk| (chunk.pack, chunk.frame.offset));
    first.dedup_by_key(|chunk| (chunk.pack, chunk.frame.offset));
    let of_pack = |chunks: &&[&Chunk]| {
        let blob = &index.packs[chunks[0].pack as usize];
        let wrong = |problem: String| (blob.path(), format!("{what}: {problem}"));
        let pack = source.blob(blob).map_err(wrong)?;
        for chunk in *chunks {
            let frame =
                &pack[chunk.frame.offset as usize..(chunk.frame.offset + chunk.frame.length) as usize];
            let content = unpack(frame, &[], chunk.output.length).map_err(wrong)?;
            if Digest::of(&content) != chunk.id {
                return Err(wrong(format!("chunk {} unpacks to other bytes", chunk.id)));
            }
        }
        Ok(())
    };
    let packs: Vec<&[&Chunk]> = first.chunk_by(|one, other| one.pack == other.pack).collect();
    let wrong: Vec<(String, String)> = packs.par_iter().filter_map(|pack| of_pack(pack).err()).collect();
    if wrong.is_empty() {
        return in_order(source, image, &index, what, report);
    }
    wrong.into_iter().for_each(|(file, problem)| report.find(file, problem));
}

/// The SHA-256 of the chunks in the image's order.
fn in_order(source: &Source, image: &Image, index: &ChunkIndex, what: &str, report: &mut Report) {
    let mut hash = Sha256::new();
    let mut pack: Option<(u32, Vec<u8>)> = None;
    for chunk in &index.chunks {
        if pack.as_ref().is_none_or(|(number, _)| *number != chunk.pack) {
            let blob = &index.packs[chunk.pack as usize];
            match source.blob(blob) {
                Ok(bytes) => pack = Some((chunk.pack, bytes)),
                Err(problem) => return report.find(blob.path(), problem),
            }
        }
        let bytes = pack.as_ref().map_or(&[][..], |(_, bytes)| bytes);
        let frame = &bytes[chunk.frame.offset as usize..(chunk.frame.offset + chunk.frame.length) as usize];
        match unpack(frame, &[], chunk.output.length) {
            Ok(content) => hash.update(content),
            Err(problem) => return report.find(what, problem),
        }
    }
    let seen = Digest(hash.finalize().into());
    if seen != image.sha256 {
        report.find(what, format!("its chunks make SHA-256 {seen}, expected {}", image.sha256));
    }
}

//! A small release, and changes of its JSON.
#![allow(dead_code)]

use geminios_update_format::name::version;
use geminios_update_format::release::{
    Blob, ChunkSet, DataContract, Delta, Image, Piece, Range, Release, chunk_index,
};
use geminios_update_format::{Digest, Error};
use serde_json::Value;

pub const MIB: u64 = 1 << 20;

pub fn digest(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

fn pieces(name: &str, size: u64, packed: u64, base: Option<u64>) -> Vec<Piece> {
    let step = 4 * MIB;
    let piece = |offset: u64| {
        let length = step.min(size - offset);
        let name = format!("{name} {offset} {}", base.is_some());
        Piece {
            output: Range { offset, length },
            sha256: digest(&name),
            blob: Blob { sha256: digest(&format!("{name} packed")), size: packed },
            base: base
                .map(|size| Range { offset: offset.min(size), length: step.min(size - offset.min(size)) }),
        }
    };
    (0..size.div_ceil(step)).map(|at| piece(at * step)).collect()
}

pub fn image(name: &str, size: u64, packed: u64) -> Image {
    Image {
        size,
        sha256: digest(name),
        whole: pieces(name, size, packed, None),
        chunks: None,
        deltas: Vec::new(),
    }
}

/// Root of 18 MiB with whole, chunks and two deltas; verity and UKI with whole only.
pub fn release() -> Release {
    let mut root = image("root", 18 * MIB, 2 * MIB);
    root.deltas = [("old root", 17 * MIB, 30_000), ("older root", 10 * MIB, 90_000)]
        .map(|(name, size, packed)| Delta {
            from: digest(name),
            from_size: size,
            pieces: pieces(name, 18 * MIB, packed, Some(size)),
        })
        .into();
    root.chunks = Some(ChunkSet { index: Blob { sha256: digest("index"), size: 9_000 } });
    Release {
        version: version("2026.11.1").unwrap(),
        profile: "x86-edge".into(),
        board: "pc".into(),
        arch: "amd64".into(),
        root_hash: digest("root hash"),
        built: 1_795_780_800,
        updater: 1,
        data: DataContract {
            postgresql: 17,
            postgresql_converts: vec![15, 16],
            kine_schema: 2,
            kubernetes_minor: 34,
            from: version("2026.9.0"),
        },
        sbom: Some(Blob { sha256: digest("sbom"), size: 1000 }),
        notes: None,
        root,
        verity: image("verity", MIB, MIB / 2),
        uki: image("uki", 6 * MIB, MIB),
    }
}

pub fn json() -> Value {
    serde_json::from_slice(&release().to_bytes().unwrap()).unwrap()
}

pub fn read(value: &Value) -> Result<Release, Error> {
    Release::parse("release.json", &serde_json::to_vec(value).unwrap())
}

/// An image of five chunks (the fourth as the second), in two packs.
pub fn chunked() -> (Image, Vec<u8>) {
    let image = image("chunked", 1500, 700);
    let packs = [Blob { sha256: digest("pack 0"), size: 300 }, Blob { sha256: digest("pack 1"), size: 150 }];
    let chunks = [("a", 500, 200), ("b", 250, 100), ("c", 100, 50), ("b", 250, 0), ("d", 400, 100)];
    let chunks = chunks.map(|(name, length, frame)| (digest(name), length, frame));
    let bytes = chunk_index(&packs, &chunks, &image).unwrap();
    (image, bytes)
}

//! What an update costs, beside those of others: `cargo bench -p geminios-release --bench peers -- OLD NEW [OLD NEW …]`.
//!
//! OLD and NEW are folders of builds, as `geminios build` makes them. For each pair: the bytes that a device fetches which runs OLD,
//! by our encodings and by `zstd --patch-from`, casync and RAUC's adaptive updates, all for the same root, hash tree and kernel;
//! then the time, processor time and memory of applying them, run in turn. A peer that is not installed is left out with a word.
//!
//! `--level N`: level of zstd for ours, that of `geminios publish` if not given. `--rounds N`: of applying; 0 leaves it out.
//! All is done in `TMPDIR`, which needs room for ten times the images.

#![allow(clippy::unwrap_used)]

mod apply;
mod casync;
mod device;
mod ours;
mod pair;
mod rauc;
mod server;
mod squashfs;
mod table;
mod zstd;

use std::path::Path;

use pair::Pair;
use table::{Row, Table};

struct Options {
    level: i32,
    rounds: usize,
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if words.first().is_some_and(|word| word == device::VERB) {
        return device::run(&words[1..]);
    }
    let (mut options, mut folders) = (Options { level: 12, rounds: 3 }, Vec::new());
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|word| word.parse().ok());
        match word.as_str() {
            "--level" => options.level = number().expect("--level N"),
            "--rounds" => options.rounds = number().expect("--rounds N") as usize,
            _ => folders.push(word),
        }
    }
    if folders.is_empty() || folders.len() % 2 == 1 {
        println!("usage: cargo bench -p geminios-release --bench peers -- OLD NEW [OLD NEW ...]");
        return;
    }
    for pair in folders.chunks(2) {
        measure(Path::new(&pair[0]), Path::new(&pair[1]), &options);
    }
}

fn measure(old: &Path, new: &Path, options: &Options) {
    let scratch = tempfile::tempdir().unwrap();
    let pair = Pair::read(old, new, scratch.path());
    println!("\n## {} -> {}\n", old.display(), new.display());
    println!("{}\n", pair.told());
    let ours = ours::Ours::publish(&pair, options.level, scratch.path());
    let mut table = Table::default();
    let device = ours.device();
    table.ours(Row::new("GeminiOS, what a device fetches", device.bytes, device.other));
    table.rows(ours.ways(&pair));
    table.zstd(zstd::measure(&pair, scratch.path()));
    let casync = casync::Casync::make(&pair, scratch.path());
    table.peer(casync.as_ref().map(|casync| casync.fetch(&pair)).map_err(Clone::clone));
    for way in rauc::WAYS {
        table.peer(rauc::measure(&pair, scratch.path(), way));
    }
    table.print();
    if options.rounds > 0 {
        apply::measure(&ours, casync.ok().as_ref(), &pair, options.rounds);
    }
}

//! Our way: a repository with both releases, and a device that fetches the newer one from it.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use geminios_model::Silent;
use geminios_release::encode::{CHUNK, Levels, cuts};
use geminios_release::keys::{self, FIRST_ROOT, Keys, RoleName};
use geminios_release::{Digest, Lifetimes, Repository, Request};
use geminios_update_format::release::{ChunkIndex, Image, Piece, Ranges, Release};
use geminios_update_format::time::DAY;

use crate::apply::Cost;
use crate::device::{self, Report};
use crate::pair::{NOW, Pair};
use crate::table::Row;

pub struct Ours {
    repo: PathBuf,
    root: PathBuf,
    /// Folders of the old images, and of what the device makes.
    old: PathBuf,
    made: PathBuf,
    root_hash: Digest,
    names: [String; 2],
    expected: [Digest; 3],
}

impl Ours {
    pub fn publish(pair: &Pair, level: i32, scratch: &Path) -> Ours {
        let (repo, folder) = (scratch.join("repo"), scratch.join("keys"));
        let roles = RoleName::ALL.into_iter().map(|role| (role, (1, 1))).collect();
        let root = keys::init(&folder, &roles, NOW - DAY, 3650 * DAY).unwrap();
        let (keys, repository) = (Keys::open(&folder).unwrap(), Repository::create(&repo, &root).unwrap());
        for build in [&pair.old.build, &pair.new.build] {
            let (levels, lifetimes) = (Levels::all(level), Lifetimes::default());
            let request =
                Request { build, channel: "stable", deltas: 1, levels, now: NOW, lifetimes, keys: &keys };
            repository.publish(&request, &Silent).unwrap();
        }
        let made = scratch.join("made");
        fs::create_dir(&made).unwrap();
        let new = &pair.new.build;
        let (profile, board) = pair.new.profile();
        Ours {
            repo,
            root: folder.join(FIRST_ROOT),
            old: pair.old.files[0].parent().unwrap().to_owned(),
            made,
            root_hash: pair.old.build.root_hash,
            names: [profile.to_owned(), board.to_owned()],
            expected: [new.root.sha256, new.verity.sha256, new.uki.sha256],
        }
    }

    /// A device in a process of its own: what it fetched. It is new to the repository: nothing is in its cache.
    pub fn device(&self) -> Report {
        self.applied().0
    }

    pub fn applied(&self) -> (Report, Cost) {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg(device::VERB).args([&self.repo, &self.root, &self.old, &self.made]);
        command.args(&self.names).arg(self.root_hash.to_string());
        let (text, cost) = Cost::of(&mut command);
        let report = Report::read(&text);
        for (name, expected) in crate::pair::IMAGES.iter().zip(self.expected) {
            let seen =
                geminios_release::Part::of_file(&self.made.join(format!("{name}.img"))).unwrap().sha256;
            assert_eq!(seen, expected, "{name} was made wrongly");
        }
        let peak = report.peak;
        (report, Cost { peak, ..cost })
    }

    /// Each way for itself, whatever a device would choose.
    pub fn ways(&self, pair: &Pair) -> Vec<Row> {
        let release = self.release();
        let images = release.images().map(|(_, image)| image);
        let sum = |pieces: &[Piece]| pieces.iter().map(|piece| piece.blob.size).sum::<u64>();
        let whole = images.map(|image| sum(&image.whole));
        let mut row = vec![Row::new("  whole", whole, 0)];
        // Two builds may have the same kernel: it is a delta from itself.
        let delta = images.map(|image| image.deltas.first().map_or(0, |delta| sum(&delta.pieces)));
        row.push(Row::new("  delta", delta, 0));
        let chunks = [0, 1, 2].map(|number| self.chunks(images[number], pair, number));
        row.push(Row::new("  chunks", chunks, 0));
        row
    }

    fn chunks(&self, image: &Image, pair: &Pair, number: usize) -> u64 {
        let Some(set) = &image.chunks else { return 0 };
        let bytes = fs::read(self.repo.join(set.index.path())).unwrap();
        let index = ChunkIndex::parse(&bytes, image).unwrap();
        let old = cuts(&pair.old.region(number), CHUNK).unwrap();
        let have: HashSet<Digest> = old.iter().map(|cut| cut.id).collect();
        let needed = index.needed(&|id| have.contains(id), &Ranges::new(), 0);
        set.index.size + needed.iter().map(|range| range.range.length).sum::<u64>()
    }

    fn release(&self) -> Release {
        let [profile, board] = &self.names;
        let folder = self.repo.join("targets").join(profile).join(board).join("1.1.0");
        let file = fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
        Release::parse("release.json", &fs::read(file).unwrap()).unwrap()
    }
}

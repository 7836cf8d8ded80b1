//! casync, with its own defaults: chunks of 64 KiB on average, packed by zstd, from a server that counts.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::apply::Cost;
use crate::pair::{IMAGES, Pair};
use crate::server::Server;
use crate::table::Row;

pub struct Casync {
    folder: PathBuf,
}

impl Casync {
    /// Chunks of the new images.
    pub fn make(pair: &Pair, scratch: &Path) -> Result<Casync, String> {
        if !Command::new("casync").arg("--version").output().is_ok_and(|output| output.status.success()) {
            return Err("casync is not installed: apt install casync".to_owned());
        }
        let folder = scratch.join("casync");
        std::fs::create_dir(&folder).unwrap();
        for (name, file) in IMAGES.iter().zip(&pair.new.files) {
            let mut command = Command::new("casync");
            command.arg("make").arg(store(&folder.display().to_string()));
            run(command.arg(folder.join(format!("{name}.caibx"))).arg(file));
        }
        Ok(Casync { folder })
    }

    /// What it takes from a server: chunks by image, and the indexes.
    pub fn fetch(&self, pair: &Pair) -> Row {
        let server = Server::start(&self.folder);
        let mut indexes = 0;
        let bytes = [0, 1, 2].map(|image| {
            self.one(pair, image, &server.url);
            let index = self.folder.join(format!("{}.caibx", IMAGES[image]));
            let index = std::fs::metadata(index).unwrap().len();
            indexes += index;
            server.taken() - index
        });
        Row::new("casync extract --seed, over HTTP", bytes, indexes)
    }

    /// All images from the folder.
    pub fn extract(&self, pair: &Pair) -> Cost {
        let costs = [0, 1, 2].map(|image| self.one(pair, image, &self.folder.display().to_string()));
        Cost {
            time: costs.iter().map(|cost| cost.time).sum(),
            processor: costs.iter().map(|cost| cost.processor).sum(),
            peak: costs.iter().map(|cost| cost.peak).max().unwrap_or(0),
        }
    }

    fn one(&self, pair: &Pair, image: usize, from: &str) -> Cost {
        let out = self.folder.join("made.img");
        // Else the file of before would be a seed too.
        let _ = std::fs::remove_file(&out);
        let mut command = Command::new("casync");
        command.arg("extract").arg(store(from));
        command.arg(format!("--seed={}", pair.old.files[image].display()));
        command.arg(format!("{from}/{}.caibx", IMAGES[image])).arg(&out);
        let cost = Cost::of(&mut command).1;
        let seen = geminios_release::Part::of_file(&out).unwrap().sha256;
        let new = &pair.new.build;
        let expected = [&new.root, &new.verity, &new.uki][image].sha256;
        assert_eq!(seen, expected, "casync made {} wrongly", IMAGES[image]);
        cost
    }
}

fn store(place: &str) -> String {
    format!("--store={place}/store.castr")
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

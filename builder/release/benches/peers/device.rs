//! The device's part, by the updater's own code, in a process of its own: metadata, the choice, and the stream of verified bytes
//! written to files. Partitions, flushes and reading back are left out, as they are of the others.

use std::cell::Cell;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::rc::Rc;

use geminios_slots::Image;
use geminios_slots::device::Source;
use geminios_update_format::release::Device;
use geminios_updater::supply::{
    Folder, Old, OldImage, Stream, Supply, SupplyError, Tell, Trust, Want, Written, choose, offered,
};

use crate::pair::{IMAGES, NOW};

pub const VERB: &str = "device";

/// What a device says of its run.
pub struct Report {
    /// Of root, hash tree, kernel. Bytes.
    pub bytes: [u64; 3],
    /// Of metadata and release.json. Bytes.
    pub other: u64,
    /// VmHWM. Bytes.
    pub peak: u64,
}

impl Report {
    pub fn read(text: &str) -> Report {
        let mut lines = text.lines();
        let mut line = || lines.next().unwrap_or_else(|| panic!("the device said only: {text}"));
        let mut number = || line().parse().unwrap();
        let bytes = [number(), number(), number()];
        Report { bytes, other: number(), peak: number() }
    }
}

/// A folder that counts what is taken from it, once where it was taken twice in a row.
struct Counted {
    folder: Folder,
    bytes: Rc<Cell<u64>>,
}

impl Supply for Counted {
    fn place(&self) -> String {
        self.folder.place()
    }

    fn file(&mut self, name: &str, most: u64) -> Result<Option<Vec<u8>>, SupplyError> {
        let file = self.folder.file(name, most)?;
        self.bytes.set(self.bytes.get() + file.as_ref().map_or(0, |bytes| bytes.len() as u64));
        Ok(file)
    }

    fn has(&mut self, want: &Want) -> bool {
        self.folder.has(want)
    }

    fn stretch(&mut self, want: &Want) -> Result<Vec<u8>, SupplyError> {
        self.bytes.set(self.bytes.get() + want.range.length);
        self.folder.stretch(want)
    }
}

/// `REPO ROOT OLD MADE PROFILE BOARD ROOTHASH`
pub fn run(words: &[String]) {
    let [repo, root, old, made, profile, board, root_hash] = words else { panic!("{words:?}") };
    let (folder, bytes) = (Folder::new(Path::new(repo)), Rc::new(Cell::new(0)));
    let mut supply = Counted { folder, bytes: bytes.clone() };
    let device = Device {
        profile: profile.clone(),
        board: board.clone(),
        arch: "amd64".to_owned(),
        version: "1.0.0".parse().unwrap(),
        data: None,
    };
    let state = Path::new(made).join("state");
    let _ = std::fs::remove_dir_all(&state);
    let mut trust = Trust::open(&state, Path::new(root)).unwrap();
    let offer = offered(&mut trust, &mut supply, &device, ("stable", None), (NOW, NOW)).unwrap().unwrap();
    let other = bytes.replace(0);
    let mut old = images(Path::new(old));
    old.root_hash = Some(geminios_update_format::Digest::parse(root_hash).unwrap());
    let chosen = choose(&offer.release, &mut old, Written::default(), &mut supply, true).unwrap();
    // A chunk index belongs to its image; deltas have none, and then this is 0.
    let index = bytes.replace(0);
    let way = chosen.to_string();
    let tell: Tell = Rc::new(|line: &str| println!("{line}"));
    let mut stream = Stream::new(&offer.release, chosen, &mut old, &mut supply, tell, Box::new(|_, _, _| ()));
    let mut fetched = [0; 3];
    for (number, image) in [Image::Root, Image::Verity, Image::Uki].into_iter().enumerate() {
        write(&mut stream, image, &Path::new(made).join(format!("{}.img", IMAGES[number])));
        fetched[number] = bytes.replace(0);
    }
    fetched[0] += index;
    let numbers = [fetched[0], fetched[1], fetched[2], other, peak()];
    println!("{}\n{way}", numbers.map(|number| number.to_string()).join("\n"));
}

fn images(folder: &Path) -> Old {
    let image = |name: &str| {
        let file = File::open(folder.join(name)).unwrap();
        let size = file.metadata().unwrap().len();
        Some(OldImage { reader: Box::new(file), start: 0, size })
    };
    Old { root: image("root.img"), verity: image("verity.img"), uki: image("uki.img"), ..Old::default() }
}

fn write(stream: &mut Stream<'_>, image: Image, path: &Path) {
    let mut out = BufWriter::new(File::create(path).unwrap());
    let (mut at, mut buffer) = (0, vec![0; 256 << 10]);
    loop {
        match stream.read(image, at, &mut buffer).unwrap() {
            0 => break,
            count => {
                out.write_all(&buffer[..count]).unwrap();
                at += count as u64;
            }
        }
    }
    out.flush().unwrap();
}

fn peak() -> u64 {
    crate::apply::peak_of("self").unwrap_or(0)
}

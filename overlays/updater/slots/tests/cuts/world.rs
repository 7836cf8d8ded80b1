//! Small systems, and a disk with the first of them as the builder makes it.

use geminios_slots::{Blob, Release, RootHash, Sha256Sum};
use hadris_fat::sync::write;
use hadris_fat::{FatKind, FatOptions};
use hadris_fs::{Content, Node, Tree};
use sha2::{Digest as _, Sha256};

use crate::gpt;
use crate::machine::{Pages, SECTOR};

pub const ESP: usize = 1 << 20;
pub const ESP_SIZE: usize = 34 << 20;
pub const ROOT_SIZE: usize = 256 << 10;
pub const VERITY_SIZE: usize = 64 << 10;
pub const PARTITIONS: [(&str, usize); 7] = [
    ("esp", ESP_SIZE),
    ("root-a", ROOT_SIZE),
    ("root-a-verity", VERITY_SIZE),
    ("root-b", ROOT_SIZE),
    ("root-b-verity", VERITY_SIZE),
    ("config", 64 << 10),
    ("var", 64 << 10),
];

/// A system and all that its release has.
#[derive(Clone)]
pub struct System {
    pub version: String,
    pub hash: RootHash,
    pub root: Vec<u8>,
    pub verity: Vec<u8>,
    pub uki: Vec<u8>,
}

/// Fixed bytes that look random.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl System {
    pub fn new(version: &str) -> System {
        let seed = version.bytes().fold(7, |n: u64, b| n * 131 + u64::from(b));
        let mut random = Random(seed);
        let blocks = 56 + (random.next() % 8) as usize;
        let root: Vec<u8> = (0..blocks * 512).flat_map(|_| random.next().to_le_bytes()).collect();
        let (verity, hash) = hash_tree(&root, &[seed as u8; 32]);
        let uki = uki(version, &hash, &mut random);
        System { version: version.to_owned(), hash, root, verity, uki }
    }

    pub fn release(&self) -> Release {
        let blob = |bytes: &[u8]| Blob { size: bytes.len() as u64, sha256: Sha256Sum::of(bytes) };
        Release {
            version: self.version.clone(),
            root_hash: self.hash,
            root: blob(&self.root),
            verity: blob(&self.verity),
            uki: blob(&self.uki),
        }
    }
}

/// A dm-verity tree of one hash block, as veritysetup makes it.
pub fn hash_tree(root: &[u8], salt: &[u8; 32]) -> (Vec<u8>, RootHash) {
    let hash =
        |block: &[u8]| -> [u8; 32] { Sha256::new_with_prefix(salt).chain_update(block).finalize().into() };
    let mut level: Vec<u8> = root.chunks(4096).flat_map(hash).collect();
    let mut tree = Vec::new();
    loop {
        level.resize(level.len().next_multiple_of(4096), 0);
        tree.splice(0..0, level.iter().copied());
        if level.len() == 4096 {
            break;
        }
        level = level.chunks(4096).flat_map(hash).collect();
    }
    let mut out = vec![0; 4096];
    out[..8].copy_from_slice(b"verity\0\0");
    (out[8], out[12]) = (1, 1);
    out[16..32].copy_from_slice(&salt[..16]);
    out[32..38].copy_from_slice(b"sha256");
    out[64..68].copy_from_slice(&4096u32.to_le_bytes());
    out[68..72].copy_from_slice(&4096u32.to_le_bytes());
    out[72..80].copy_from_slice(&(root.len() as u64 / 4096).to_le_bytes());
    out[80] = 32;
    out[88..120].copy_from_slice(salt);
    let top = hash(&tree[..4096]);
    out.extend(tree);
    (out, RootHash(top))
}

/// A PE program of some 20 KiB with the sections that matter at both of its ends.
pub fn uki(version: &str, hash: &RootHash, random: &mut Random) -> Vec<u8> {
    let release =
        format!("ID=geminios\nVERSION_ID=\"{version}\"\nIMAGE_ID=\"edge\"\nIMAGE_VERSION=\"{version}\"\n");
    let cmdline = format!("quiet roothash={hash} console=ttyS0");
    let kernel: Vec<u8> = (0..2304).flat_map(|_| random.next().to_le_bytes()).collect();
    let sections: [(&[u8; 8], &[u8]); 3] =
        [(b".osrel\0\0", release.as_bytes()), (b".linux\0\0", &kernel), (b".cmdline", cmdline.as_bytes())];
    let mut out = vec![0; 0x400];
    let put = |out: &mut Vec<u8>, at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
    put(&mut out, 0, b"MZ");
    put(&mut out, 60, &128u32.to_le_bytes());
    put(&mut out, 128, b"PE\0\0\x64\x86\x03\0");
    put(&mut out, 128 + 20, &240u16.to_le_bytes());
    for (i, (name, data)) in sections.iter().enumerate() {
        let (at, place) = (128 + 24 + 240 + i * 40, out.len() as u32);
        put(&mut out, at, *name);
        put(&mut out, at + 8, &(data.len() as u32).to_le_bytes());
        put(&mut out, at + 16, &(data.len() as u32).to_le_bytes());
        put(&mut out, at + 20, &place.to_le_bytes());
        out.extend(*data);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out
}

/// The disk that a builder writes: version 1 in slot A, with three tries.
pub fn factory(first: &System) -> Pages {
    let size = ESP + PARTITIONS.iter().map(|(_, size)| size).sum::<usize>() + (1 << 20);
    let mut pages = Pages::zeroed(size);
    let mut start = ESP;
    let mut rows = Vec::new();
    for (name, size) in PARTITIONS {
        let guid = match name {
            "root-a" => first.hash.root_uuid(),
            "root-a-verity" => first.hash.verity_uuid(),
            _ => std::array::from_fn(|i| (name.len() * 16 + i) as u8 ^ name.as_bytes()[i % name.len()]),
        };
        match name {
            "root-a" => pages.write(start, &first.root),
            "root-a-verity" => pages.write(start, &first.verity),
            "esp" => pages.write(start, &esp(first)),
            _ => {}
        }
        rows.push((name, guid, start / SECTOR, size / SECTOR));
        start += size;
    }
    gpt::write(&mut pages, &rows);
    pages
}

fn esp(first: &System) -> Vec<u8> {
    let mut tree = Tree::new();
    let files: [(String, &[u8]); 4] = [
        ("EFI/BOOT/BOOTX64.EFI".into(), b"loader"),
        (format!("EFI/Linux/geminios_{}+3.efi", first.version), &first.uki),
        ("EFI/systemd/systemd-bootx64.efi".into(), b"loader"),
        ("loader/loader.conf".into(), b"timeout 0\n"),
    ];
    for (path, bytes) in files {
        tree.insert(&path, Node::file(Content::bytes(bytes.to_vec()))).unwrap();
    }
    let options = FatOptions::new().with_kind(FatKind::Fat32).with_cluster_size(512).with_serial(7);
    let mut image = vec![0; ESP_SIZE];
    write(&mut image, &tree, &options).unwrap();
    image
}

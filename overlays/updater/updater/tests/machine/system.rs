//! Small systems: a root, its hash tree, and a kernel that says what it is.

use geminios_slots::{Blob, Release, RootHash, Sha256Sum};
use sha2::{Digest as _, Sha256};

const BLOCK: usize = 4096;

#[derive(Clone)]
pub struct System {
    pub version: String,
    pub hash: RootHash,
    pub root: Vec<u8>,
    pub verity: Vec<u8>,
    pub uki: Vec<u8>,
}

impl System {
    /// Bytes follow from the version.
    pub fn new(version: &str) -> System {
        let block = |n: u8| Sha256::digest([version.as_bytes(), &[n]].concat()).repeat(BLOCK / 32);
        let root: Vec<u8> = (0..40).flat_map(block).collect();
        let (verity, hash) = hash_tree(&root);
        let uki = uki(version, &hash);
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

/// dm-verity without a salt, of one block of hashes.
fn hash_tree(root: &[u8]) -> (Vec<u8>, RootHash) {
    let mut tree: Vec<u8> = root.chunks(BLOCK).flat_map(Sha256::digest).collect();
    tree.resize(BLOCK, 0);
    let mut out = vec![0; BLOCK];
    out[..8].copy_from_slice(b"verity\0\0");
    (out[8], out[12]) = (1, 1);
    out[32..38].copy_from_slice(b"sha256");
    out[64..68].copy_from_slice(&4096_u32.to_le_bytes());
    out[68..72].copy_from_slice(&4096_u32.to_le_bytes());
    out[72..80].copy_from_slice(&(root.len() as u64 / 4096).to_le_bytes());
    let hash = RootHash(Sha256::digest(&tree).into());
    out.extend(tree);
    (out, hash)
}

/// A PE program of two sections.
fn uki(version: &str, hash: &RootHash) -> Vec<u8> {
    let release = format!("ID=geminios\nIMAGE_ID=edge\nIMAGE_VERSION={version}\n");
    let sections: [(&[u8], String); 2] =
        [(b".osrel\0\0", release), (b".cmdline", format!("quiet roothash={hash}"))];
    let mut out = vec![0; 0x200];
    let put = |out: &mut Vec<u8>, at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
    put(&mut out, 0, b"MZ");
    put(&mut out, 60, &64_u32.to_le_bytes());
    put(&mut out, 64, b"PE\0\0\x64\x86\x02\0");
    for (number, (name, text)) in sections.iter().enumerate() {
        let (at, place, size) = (64 + 24 + number * 40, out.len() as u32, text.len() as u32);
        put(&mut out, at, name);
        put(&mut out, at + 8, &size.to_le_bytes());
        put(&mut out, at + 16, &size.to_le_bytes());
        put(&mut out, at + 20, &place.to_le_bytes());
        out.extend(text.as_bytes());
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out
}

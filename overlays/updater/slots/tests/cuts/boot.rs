//! What the machine does when it is switched on, written from the specifications and not from the crate: the firmware finds
//! the ESP, systemd-boot picks and counts (src/boot/boot.c of systemd 257; Boot Loader Specification), the initrd finds its
//! partitions, the kernel checks each block that it reads.

use std::cmp::Ordering;

use sha2::{Digest as _, Sha256};

use crate::device::fresh;
use crate::fat::{Entry, Fat, check};
use crate::gpt;
use crate::machine::Pages;
use crate::world::System;

/// How the machine came up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booted {
    /// Version of the system that runs.
    pub version: String,
    /// The name of its entry after counting.
    pub file: String,
}

struct Listed {
    file: Entry,
    bytes: Result<Vec<u8>, Vec<u8>>,
    sort_key: String,
    version: String,
    left: Option<u32>,
    done: u32,
    id: String,
}

/// Boots. The disk is left as it is once the system checked its ESP and mounted it.
pub fn boot(pages: &mut Pages, systems: &[&System], counter_moves: bool) -> Result<Booted, String> {
    let partitions = gpt::read(pages)?;
    let esp = partitions.iter().find(|p| p.name == "esp").ok_or("no ESP")?.start;
    let picked = pick(pages, esp)?;
    let name = picked.file.name.clone();
    let bytes = picked.bytes.map_err(|_| format!("{name}: its clusters end too early"))?;
    let system =
        systems.iter().find(|s| s.uki == bytes).ok_or_else(|| format!("{name}: it is no whole kernel"))?;
    let by_guid = |guid: [u8; 16]| -> Result<&gpt::Partition, String> {
        let mut found = partitions.iter().filter(|p| p.guid == guid);
        match (found.next(), found.next()) {
            (Some(partition), None) => Ok(partition),
            _ => Err(format!("{name}: not one partition with its PARTUUID")),
        }
    };
    let (root, verity) = (by_guid(system.hash.root_uuid())?, by_guid(system.hash.verity_uuid())?);
    intact(pages, root, verity, &system.hash.0).map_err(|why| format!("{name}: {why}"))?;
    check(pages, esp);
    let mut file = name.clone();
    if let (Some(left), true) = (picked.left, counter_moves) {
        if left > 0 {
            let stem = &name[..name.rfind('+').unwrap()];
            file = format!("{stem}+{}-{}.efi", left - 1, picked.done + 1);
            let device = fresh(pages.clone(), None);
            device.volume.rename(format!("EFI/Linux/{name}"), format!("EFI/Linux/{file}")).unwrap();
            device.volume.lock().unwrap().sync().unwrap();
            let counted = device.machine.borrow().pages.clone();
            *pages = counted;
        }
    }
    Ok(Booted { version: system.version.clone(), file })
}

/// Names in EFI/Linux.
pub fn files(pages: &Pages) -> Vec<String> {
    let fat = Fat::open(pages, crate::world::ESP).unwrap();
    let entries = fat.folder(&["EFI", "Linux"]).unwrap();
    let mut names: Vec<String> =
        entries.into_iter().map(|e| e.name).filter(|n| !n.starts_with('.')).collect();
    names.sort();
    names
}

fn pick(pages: &Pages, esp: usize) -> Result<Listed, String> {
    let fat = Fat::open(pages, esp)?;
    let entries = fat.folder(&["EFI", "Linux"]).ok_or("no folder EFI/Linux")?;
    let mut listed: Vec<Listed> = entries.into_iter().filter_map(|file| list(&fat, file)).collect();
    listed.sort_by(order);
    listed.into_iter().next().ok_or_else(|| "no entry".to_owned())
}

/// `boot_entry_add_type2`: a program with .osrel and .cmdline. One that cannot be read so far is left out.
fn list(fat: &Fat<'_>, file: Entry) -> Option<Listed> {
    let lower = file.name.to_ascii_lowercase();
    if file.folder || !lower.ends_with(".efi") || lower.starts_with("auto-") {
        return None;
    }
    let bytes = fat.read(&file);
    let program = match &bytes {
        Ok(bytes) | Err(bytes) => bytes,
    };
    let release = String::from_utf8(section(program, b".osrel\0\0")?).ok()?;
    section(program, b".cmdline")?;
    let field = |name: &str| {
        let line = release.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim_matches('"').to_owned())
    };
    let (left, done, id) = tries(&lower);
    Some(Listed {
        sort_key: field("IMAGE_ID=")?,
        version: field("IMAGE_VERSION=")?,
        file,
        bytes,
        left,
        done,
        id,
    })
}

fn section(program: &[u8], name: &[u8; 8]) -> Option<Vec<u8>> {
    let word = |at: usize, width: usize| {
        program.get(at..at + width).map(|b| b.iter().rev().fold(0usize, |n, b| n << 8 | usize::from(*b)))
    };
    if program.get(..2)? != b"MZ" {
        return None;
    }
    let pe = word(60, 4)?;
    if program.get(pe..pe + 4)? != b"PE\0\0" {
        return None;
    }
    let table = pe + 24 + word(pe + 20, 2)?;
    for at in (0..word(pe + 6, 2)?).map(|i| table + i * 40) {
        if program.get(at..at + 8)? == name {
            let start = word(at + 20, 4)?;
            return program.get(start..start + word(at + 8, 4)?).map(<[u8]>::to_vec);
        }
    }
    None
}

/// `boot_entry_parse_tries`: +LEFT or +LEFT-DONE before the suffix; else there is no counter.
fn tries(name: &str) -> (Option<u32>, u32, String) {
    let stem = name.strip_suffix(".efi").unwrap();
    let parsed = stem.rsplit_once('+').and_then(|(id, counter)| {
        let (left, done) = counter.split_once('-').unwrap_or((counter, "0"));
        Some((left.parse().ok()?, done.parse().ok()?, format!("{id}.efi")))
    });
    match parsed {
        Some((left, done, id)) => (Some(left), done, id),
        None => (None, 0, name.to_owned()),
    }
}

/// `boot_entry_compare`. Versions here are whole numbers.
fn order(a: &Listed, b: &Listed) -> Ordering {
    let number = |version: &str| version.parse::<u64>().expect("tests have numbers");
    (a.left == Some(0))
        .cmp(&(b.left == Some(0)))
        .then_with(|| a.sort_key.cmp(&b.sort_key))
        .then_with(|| number(&b.version).cmp(&number(&a.version)))
        .then_with(|| b.id.cmp(&a.id))
        .then_with(|| match (a.left, b.left) {
            (Some(x), Some(y)) => y.cmp(&x).then(a.done.cmp(&b.done)),
            _ => Ordering::Equal,
        })
}

/// Every block of the root, from the root hash down.
fn intact(
    pages: &Pages,
    root: &gpt::Partition,
    verity: &gpt::Partition,
    hash: &[u8; 32],
) -> Result<(), String> {
    let superblock = pages.get(verity.start, 4096);
    if &superblock[..8] != b"verity\0\0" {
        return Err("no verity superblock".into());
    }
    let blocks = u64::from_le_bytes(superblock[72..80].try_into().unwrap()) as usize;
    if blocks == 0 || blocks > 128 || blocks * 4096 > root.size {
        return Err(format!("{blocks} blocks"));
    }
    let salt = &superblock[88..120];
    let digest =
        |block: &[u8]| -> [u8; 32] { Sha256::new_with_prefix(salt).chain_update(block).finalize().into() };
    let top = pages.get(verity.start + 4096, 4096);
    if digest(&top) != *hash {
        return Err("the top of its hash tree does not match the root hash".into());
    }
    for block in 0..blocks {
        if digest(&pages.get(root.start + block * 4096, 4096)) != top[block * 32..][..32] {
            return Err(format!("block {block} of its root does not match its hash tree"));
        }
    }
    Ok(())
}

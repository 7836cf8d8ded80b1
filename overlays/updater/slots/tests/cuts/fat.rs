//! A reader of FAT32 that shares no code with the writer (Microsoft, "FAT32 File System Specification"), as trusting as
//! firmware: it reads the first table only. And what fsck.fat -a would do.

use std::collections::HashSet;

use crate::machine::{Pages, SECTOR};

pub struct Fat<'a> {
    pages: &'a Pages,
    tables: usize,
    table_size: usize,
    copies: usize,
    data: usize,
    cluster: usize,
    clusters: u32,
    root: u32,
}

#[derive(Clone, Debug)]
pub struct Entry {
    pub name: String,
    pub folder: bool,
    pub first: u32,
    pub size: u32,
    /// Where its 32 bytes stand on the disk.
    pub at: usize,
}

fn number(bytes: &[u8], at: usize, width: usize) -> usize {
    bytes[at..at + width].iter().rev().fold(0, |n, b| n << 8 | usize::from(*b))
}

impl<'a> Fat<'a> {
    pub fn open(pages: &'a Pages, start: usize) -> Result<Self, String> {
        let boot = pages.get(start, SECTOR);
        if boot[510..] != [0x55, 0xaa] || number(&boot, 11, 2) != SECTOR {
            return Err("no FAT boot sector".into());
        }
        let (reserved, copies) = (number(&boot, 14, 2), number(&boot, 16, 1));
        let (table_size, total) = (number(&boot, 36, 4), number(&boot, 32, 4));
        let cluster = number(&boot, 13, 1) * SECTOR;
        let data = reserved + copies * table_size;
        Ok(Fat {
            pages,
            tables: start + reserved * SECTOR,
            table_size: table_size * SECTOR,
            copies,
            data: start + data * SECTOR,
            cluster,
            clusters: ((total - data) * SECTOR / cluster) as u32,
            root: number(&boot, 44, 4) as u32,
        })
    }

    fn next(&self, cluster: u32) -> u32 {
        number(&self.pages.get(self.tables + cluster as usize * 4, 4), 0, 4) as u32 & 0x0fff_ffff
    }

    fn place(&self, cluster: u32) -> usize {
        self.data + (cluster as usize - 2) * self.cluster
    }

    fn valid(&self, cluster: u32) -> bool {
        (2..self.clusters + 2).contains(&cluster)
    }

    /// The clusters up to the end, or to where the chain breaks; and whether it ends as it should.
    fn chain(&self, first: u32) -> (Vec<u32>, bool) {
        let (mut chain, mut seen, mut at) = (Vec::new(), HashSet::new(), first);
        while self.valid(at) && self.next(at) != 0 && seen.insert(at) {
            chain.push(at);
            at = self.next(at);
        }
        (chain, at >= 0x0fff_fff8)
    }

    /// A file's bytes, up to its size or to where its chain breaks.
    pub fn read(&self, entry: &Entry) -> Result<Vec<u8>, Vec<u8>> {
        let mut bytes = Vec::new();
        for cluster in self.chain(entry.first).0 {
            bytes.extend(self.pages.get(self.place(cluster), self.cluster));
        }
        let enough = bytes.len() >= entry.size as usize;
        bytes.truncate(entry.size as usize);
        if enough { Ok(bytes) } else { Err(bytes) }
    }

    pub fn folder(&self, path: &[&str]) -> Option<Vec<Entry>> {
        let mut entries = self.entries(self.root).0;
        for part in path {
            let next = entries.iter().find(|e| e.folder && e.name.eq_ignore_ascii_case(part))?.first;
            entries = self.entries(next).0;
        }
        Some(entries)
    }

    /// Sectors of the root, EFI and EFI/Linux.
    pub fn folder_sectors(&self) -> HashSet<usize> {
        let mut sectors = HashSet::new();
        let mut stack = vec![self.root];
        while let Some(folder) = stack.pop() {
            for cluster in self.chain(folder).0 {
                let sector = self.place(cluster) / SECTOR;
                sectors.extend(sector..sector + self.cluster / SECTOR);
            }
            stack.extend(
                self.entries(folder)
                    .0
                    .iter()
                    .filter(|e| e.folder && !e.name.starts_with('.'))
                    .map(|e| e.first),
            );
        }
        sectors
    }

    /// Entries of a folder, and the places of parts of long names that belong to none.
    fn entries(&self, first: u32) -> (Vec<Entry>, Vec<usize>) {
        let (mut entries, mut orphans) = (Vec::new(), Vec::new());
        let mut long: Vec<(u8, u8, Vec<u16>, usize)> = Vec::new();
        let places = self.chain(first).0.into_iter().map(|c| self.place(c));
        let slots = places.flat_map(|place| (0..self.cluster / 32).map(move |i| place + i * 32));
        for at in slots {
            let raw = self.pages.get(at, 32);
            if raw[0] == 0 {
                break;
            }
            if raw[0] == 0xe5 {
                orphans.extend(long.drain(..).map(|part| part.3));
                continue;
            }
            if raw[11] == 0x0f {
                let units = [1..11, 14..26, 28..32].into_iter().flat_map(|range| raw[range].to_vec());
                let units: Vec<u8> = units.collect();
                let units = units.chunks(2).map(|u| u16::from_le_bytes([u[0], u[1]])).collect();
                if raw[0] & 0x40 != 0 {
                    orphans.extend(long.drain(..).map(|part| part.3));
                }
                long.push((raw[0], raw[13], units, at));
                continue;
            }
            if raw[11] & 0x08 != 0 {
                long.clear();
                continue;
            }
            let sum = raw[..11].iter().fold(0u8, |sum, b| sum.rotate_right(1).wrapping_add(*b));
            let whole = long.first().is_some_and(|part| part.0 & 0x40 != 0)
                && long.iter().rev().zip(1..).all(|(part, n)| part.0 & 0x3f == n && part.1 == sum);
            let name = if whole {
                let units: Vec<u16> = long.iter().rev().flat_map(|part| part.2.clone()).collect();
                String::from_utf16_lossy(units.split(|u| *u == 0).next().unwrap())
            } else {
                orphans.extend(long.iter().map(|part| part.3));
                let part = |range: std::ops::Range<usize>| {
                    String::from_utf8_lossy(&raw[range]).trim_end().to_owned()
                };
                match (part(0..8), part(8..11)) {
                    (base, ext) if ext.is_empty() => base,
                    (base, ext) => format!("{base}.{ext}"),
                }
            };
            long.clear();
            let first = (number(&raw, 20, 2) << 16 | number(&raw, 26, 2)) as u32;
            let (folder, size) = (raw[11] & 0x10 != 0, number(&raw, 28, 4) as u32);
            entries.push(Entry { name, folder, first, size, at });
        }
        orphans.extend(long.drain(..).map(|part| part.3));
        (entries, orphans)
    }
}

impl Fat<'_> {
    /// Clusters that are in use by the first table, its sectors first told apart from those that are all zero.
    fn used(&self) -> usize {
        let mut used = 0;
        for sector in (0..self.table_size).step_by(SECTOR) {
            let sector = self.pages.sector(self.tables + sector);
            if sector != [0; SECTOR] {
                used += sector.chunks(4).filter(|entry| *entry != [0; 4]).count();
            }
        }
        used
    }

    /// Bytes for new files. The first two entries of the table are no clusters.
    pub fn room(&self) -> usize {
        (self.clusters as usize + 2 - self.used()) * self.cluster
    }
}

/// Mends what a cut left, without asking: as fsck.fat -a, files are cut to the clusters they have, clusters of nobody are
/// freed, the second table becomes like the first.
pub fn check(pages: &mut Pages, start: usize) {
    let fat = Fat::open(pages, start).unwrap();
    let mut writes: Vec<(usize, Vec<u8>)> = Vec::new();
    let mut ends: Vec<u32> = Vec::new();
    let mut owned = HashSet::new();
    let mut stack = vec![fat.root];
    while let Some(folder) = stack.pop() {
        owned.extend(fat.chain(folder).0);
        let (entries, orphans) = fat.entries(folder);
        writes.extend(orphans.into_iter().map(|at| (at, vec![0xe5])));
        for entry in entries.into_iter().filter(|entry| !entry.name.starts_with('.')) {
            if entry.folder {
                stack.push(entry.first);
                continue;
            }
            let (mut chain, _) = fat.chain(entry.first);
            let shared = chain.iter().position(|c| owned.contains(c)).unwrap_or(chain.len());
            chain.truncate(shared.min((entry.size as usize).div_ceil(fat.cluster)));
            owned.extend(&chain);
            let size = entry.size.min((chain.len() * fat.cluster) as u32);
            let first = chain.first().copied().unwrap_or(0);
            ends.extend(chain.last());
            writes.push((entry.at + 20, (first >> 16).to_le_bytes()[..2].to_vec()));
            writes.push((entry.at + 26, first.to_le_bytes()[..2].to_vec()));
            writes.push((entry.at + 28, size.to_le_bytes().to_vec()));
        }
    }
    let mut used = 0;
    for at in (0..fat.table_size).step_by(SECTOR) {
        let mut sector = pages.sector(fat.tables + at).to_vec();
        if sector != [0; SECTOR] {
            for (entry, cluster) in sector.chunks_mut(4).zip(at as u32 / 4..) {
                if cluster >= 2 && !owned.contains(&cluster) {
                    entry.fill(0);
                } else if ends.contains(&cluster) {
                    entry.copy_from_slice(&0x0fff_ffffu32.to_le_bytes());
                }
                used += u32::from(cluster >= 2 && *entry != [0; 4]);
            }
        }
        for copy in 0..fat.copies {
            let at = fat.tables + copy * fat.table_size + at;
            if pages.sector(at) != sector {
                writes.push((at, sector.clone()));
            }
        }
    }
    writes.push((start + SECTOR + 488, (fat.clusters - used).to_le_bytes().to_vec()));
    for (at, bytes) in writes {
        if pages.get(at, bytes.len()) != bytes {
            pages.write(at, &bytes);
        }
    }
}

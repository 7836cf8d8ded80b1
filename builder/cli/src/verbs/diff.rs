use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::Result;
use geminios_model::Digest;
use serde::Serialize;

use crate::args::Diff as Args;
use crate::contents::Entry;
use crate::image::{Image, ImagePackage, packages};
use crate::report::{self, Report, table};
use crate::session::Session;
use crate::terminal::megabytes;

#[derive(Serialize)]
struct Difference {
    root_hashes: [Digest; 2],
    packages: Vec<PackageChange>,
    files: BTreeMap<String, FileChange>,
    /// Bytes of all files of each image.
    sizes: [u64; 2],
    /// Bytes of files that are new or changed in the second.
    changed_bytes: u64,
    /// Bytes of the first kernel on each EFI system partition.
    kernels: [u64; 2],
    #[serde(skip)]
    list_files: bool,
}

#[derive(Serialize)]
struct PackageChange {
    name: String,
    from: Option<String>,
    to: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum FileChange {
    Added,
    Removed,
    /// Other bytes, target or kind.
    Content,
    /// The same content with another owner or mode.
    Owner,
}

/// Shows what differs between two images.
pub fn run(session: &Session, args: &Args) -> Result<()> {
    let images = [Image::open(&args.a)?, Image::open(&args.b)?];
    let (a, b) = rayon::join(|| read(&images[0]), || read(&images[1]));
    let ((a_packages, a_files), (b_packages, b_files)) = (a?, b?);
    let files = files(&a_files, &b_files);
    let changed = files
        .iter()
        .filter(|(_, change)| matches!(change, FileChange::Added | FileChange::Content))
        .filter_map(|(path, _)| b_files.get(path));
    let total = |files: &BTreeMap<String, Entry>| files.values().map(|entry| entry.node.size()).sum();
    let kernel = |image: &Image| {
        let path = image.layout.kernels.first().map(|kernel| kernel.path.as_str());
        image.layout.esp.iter().find(|(p, _)| Some(p.as_str()) == path).map_or(0, |(_, size)| *size)
    };
    let difference = Difference {
        root_hashes: [images[0].root_hash()?, images[1].root_hash()?],
        packages: package_changes(&a_packages, &b_packages),
        changed_bytes: changed.map(|entry| entry.node.size()).sum(),
        sizes: [total(&a_files), total(&b_files)],
        kernels: [kernel(&images[0]), kernel(&images[1])],
        files,
        list_files: args.files,
    };
    report::print(&difference, session.global.format)
}

fn read(image: &Image) -> Result<(Vec<ImagePackage>, BTreeMap<String, Entry>)> {
    let contents = image.contents()?;
    Ok((packages(&contents)?, contents.list()?))
}

fn package_changes(a: &[ImagePackage], b: &[ImagePackage]) -> Vec<PackageChange> {
    let versions = |list: &[ImagePackage]| -> BTreeMap<String, String> {
        list.iter().map(|p| (p.name.clone(), p.version.clone())).collect()
    };
    let (a, b) = (versions(a), versions(b));
    let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    names
        .into_iter()
        .filter(|name| a.get(*name) != b.get(*name))
        .map(|name| PackageChange {
            name: name.clone(),
            from: a.get(name).cloned(),
            to: b.get(name).cloned(),
        })
        .collect()
}

fn files(a: &BTreeMap<String, Entry>, b: &BTreeMap<String, Entry>) -> BTreeMap<String, FileChange> {
    let paths: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    paths
        .into_iter()
        .filter_map(|path| {
            let change = match (a.get(path), b.get(path)) {
                (Some(old), Some(new)) if old == new => return None,
                (Some(old), Some(new)) if old.node == new.node => FileChange::Owner,
                (Some(_), Some(_)) => FileChange::Content,
                (None, _) => FileChange::Added,
                (Some(_), None) => FileChange::Removed,
            };
            Some((path.clone(), change))
        })
        .collect()
}

impl Report for Difference {
    fn text(&self) -> String {
        if self.root_hashes[0] == self.root_hashes[1] && self.files.is_empty() {
            return format!("the same root: {}\n", self.root_hashes[0]);
        }
        let mut out = format!("root hash {}\n       -> {}\n", self.root_hashes[0], self.root_hashes[1]);
        let none = || "-".to_owned();
        let rows: Vec<Vec<String>> = self
            .packages
            .iter()
            .map(|p| {
                vec![
                    p.name.clone(),
                    p.from.clone().unwrap_or_else(none),
                    "->".into(),
                    p.to.clone().unwrap_or_else(none),
                ]
            })
            .collect();
        let _ = write!(out, "\nPackages that differ: {}\n{}", rows.len(), table(&rows));
        let count = |kind| self.files.values().filter(|change| **change == kind).count();
        let _ = writeln!(
            out,
            "\nfiles: {} added, {} removed, {} with other content, {} with another owner or mode",
            count(FileChange::Added),
            count(FileChange::Removed),
            count(FileChange::Content),
            count(FileChange::Owner)
        );
        if self.list_files {
            for (path, change) in &self.files {
                let sign = match change {
                    FileChange::Added => '+',
                    FileChange::Removed => '-',
                    FileChange::Content => '~',
                    FileChange::Owner => '@',
                };
                let _ = writeln!(out, "  {sign} {path}");
            }
        }
        let _ = writeln!(
            out,
            "bytes: {} -> {} uncompressed, {} of them in new or changed files; kernel image {} -> {}",
            megabytes(self.sizes[0]),
            megabytes(self.sizes[1]),
            megabytes(self.changed_bytes),
            megabytes(self.kernels[0]),
            megabytes(self.kernels[1])
        );
        out
    }
}

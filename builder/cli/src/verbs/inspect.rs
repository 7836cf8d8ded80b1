use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::Result;
use geminios_model::{Digest, Progress, Unit};
use geminios_seal::verify;
use serde::Serialize;

use crate::args::Inspect as Args;
use crate::contents::Entry;
use crate::image::{Container, Image, ImagePackage, containers, packages};
use crate::manifest::Manifest;
use crate::report::{self, Report, table};
use crate::session::Session;
use crate::terminal::megabytes;

#[derive(Serialize)]
struct Inspection {
    image: String,
    root_hash: Digest,
    /// Every byte of root and hash tree matches the root hash.
    verified: bool,
    partitions: Vec<Row>,
    esp: BTreeMap<String, u64>,
    kernel: String,
    cmdline: String,
    packages: Vec<ImagePackage>,
    /// Container images that are loaded at boot.
    containers: Vec<Container>,
    /// Installed bytes by overlay, where the build's manifest is beside the image.
    installed: BTreeMap<String, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<BTreeMap<String, Entry>>,
    #[serde(skip)]
    list_packages: bool,
}

#[derive(Serialize)]
struct Row {
    name: String,
    /// Bytes from the start of the disk.
    start: u64,
    /// Bytes.
    size: u64,
    id: String,
    kind: String,
}

/// Shows what is in an image, and checks it.
pub fn run(session: &Session, args: &Args) -> Result<()> {
    let image = Image::open(&args.image)?;
    let root_hash = image.root_hash()?;
    let (root, tree) = image.slot()?;
    session.terminal.begin("verify", 0, Unit::Items);
    verify(&image.layout.region(&root.name)?, &image.layout.region(&tree.name)?, &root_hash)?;
    session.terminal.end("verify", "every byte of the root matches its root hash");
    let contents = image.contents()?;
    if let Some(path) = &args.read {
        return Ok(std::io::stdout().write_all(&contents.read(path)?)?);
    }
    let kernel = image.layout.kernels.first();
    let inspection = Inspection {
        image: image.path.display().to_string(),
        root_hash,
        verified: true,
        partitions: image
            .layout
            .table
            .partitions
            .iter()
            .map(|p| Row {
                name: p.name.clone(),
                start: p.start,
                size: p.size,
                id: p.guid.to_string(),
                kind: p.kind.to_string(),
            })
            .collect(),
        esp: image.layout.esp.iter().cloned().collect(),
        kernel: kernel.map(|k| k.uname.clone()).unwrap_or_default(),
        cmdline: kernel.map(|k| k.cmdline.clone()).unwrap_or_default(),
        packages: packages(&contents)?,
        containers: containers(&contents),
        installed: image
            .path
            .parent()
            .and_then(|dir| Manifest::read(dir).ok())
            .filter(|manifest| manifest.root_hash == root_hash)
            .map(|manifest| manifest.installed)
            .unwrap_or_default(),
        files: if args.files { Some(contents.list()?) } else { None },
        list_packages: args.packages,
    };
    report::print(&inspection, session.global.format)
}

impl Report for Inspection {
    fn text(&self) -> String {
        let mut out = format!(
            "{}\nroot hash {} (verified)\nlinux {}\n{}\n",
            self.image, self.root_hash, self.kernel, self.cmdline
        );
        out.push_str("\npartitions\n");
        let rows: Vec<Vec<String>> = self
            .partitions
            .iter()
            .map(|p| {
                vec![
                    p.name.clone(),
                    format!("at {} MiB", p.start >> 20),
                    format!("{} MiB", p.size >> 20),
                    p.id.clone(),
                ]
            })
            .collect();
        out.push_str(&table(&rows));
        out.push_str("\nEFI system partition\n");
        out.push_str(&table(
            &self.esp.iter().map(|(p, s)| vec![p.clone(), megabytes(*s)]).collect::<Vec<_>>(),
        ));
        if !self.installed.is_empty() {
            out.push_str("\ninstalled by overlay\n");
            let mut rows: Vec<_> = self.installed.iter().collect();
            rows.sort_by_key(|(name, bytes)| (std::cmp::Reverse(**bytes), *name));
            out.push_str(&table(
                &rows.iter().map(|(n, b)| vec![(*n).clone(), megabytes(**b)]).collect::<Vec<_>>(),
            ));
        }
        if !self.containers.is_empty() {
            out.push_str("\ncontainer images\n");
            let row = |c: &Container| vec![c.name.clone(), c.digest.clone(), megabytes(c.size)];
            out.push_str(&table(&self.containers.iter().map(row).collect::<Vec<_>>()));
        }
        if self.list_packages {
            out.push_str("\npackages\n");
            let row = |p: &ImagePackage| vec![p.name.clone(), p.version.clone(), p.architecture.clone()];
            out.push_str(&table(&self.packages.iter().map(row).collect::<Vec<_>>()));
        } else {
            let _ = writeln!(out, "\n{} packages (--packages lists them)", self.packages.len());
        }
        for (path, entry) in self.files.iter().flatten() {
            let _ = writeln!(out, "{} {}:{} {path}{}", entry.mode, entry.uid, entry.gid, entry.node.suffix());
        }
        out
    }
}

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Result, bail};
use geminios_model::{ImageWish, Lock, Profile};
use geminios_resolve::why;
use serde::Serialize;

use crate::args::Explain;
use crate::project::Description;
use crate::report::{self, Report, counted, table};
use crate::session::Session;
use crate::terminal::megabytes;
use crate::wishes::{self, IMAGE};

/// The origin of packages that come without being wished for.
const ESSENTIAL: &str = "essential";

/// A profile resolved.
#[derive(Serialize)]
struct Explanation {
    profile: String,
    description: String,
    version: String,
    board: String,
    lock: Option<LockSummary>,
    /// In the profile's order; then what the profile itself wishes for, and what every Debian has.
    overlays: Vec<OverlaySummary>,
    tools: BTreeMap<String, usize>,
}

#[derive(Serialize)]
struct LockSummary {
    digest: String,
    source_date_epoch: u64,
    up_to_date: bool,
}

#[derive(Default, Serialize)]
struct OverlaySummary {
    name: String,
    description: String,
    wishes: Vec<String>,
    left_out: BTreeMap<String, String>,
    /// Packages in the image for this overlay's sake.
    packages: Vec<String>,
    /// Bytes of their .debs.
    download: u64,
    enables: Vec<String>,
    ports: Vec<String>,
    programs: Vec<String>,
    /// Container images that come with the disk.
    images: Vec<String>,
}

/// Why one package is in the image.
#[derive(Serialize)]
struct Reason {
    package: String,
    version: String,
    /// From the package to the wish that brings it.
    chain: Vec<String>,
}

/// Shows a profile resolved.
pub fn run(session: &Session, args: &Explain) -> Result<()> {
    let (_, description) = session.describe(&args.profile, args.board.as_deref())?;
    if let Some(package) = &args.package {
        return report::print(&reason(&description, package)?, session.global.format);
    }
    report::print(&explanation(&description)?, session.global.format)
}

fn reason(description: &Description, package: &str) -> Result<Reason> {
    let lock = description.lock()?;
    let Some(found) = lock.set(IMAGE).find(|p| p.name == package) else {
        for (overlay, source, _) in &description.overlays {
            if let Some(without) = overlay.withouts.iter().find(|w| w.package.as_str() == package) {
                bail!(
                    "`{package}` is left out of the image by {}: {}",
                    source.path().display(),
                    without.reason
                );
            }
        }
        bail!("`{package}` is not in the image of `{}`", description.profile.name);
    };
    let chain = why(&lock, IMAGE, package);
    Ok(Reason { package: found.name.clone(), version: found.version.clone(), chain })
}

fn explanation(description: &Description) -> Result<Explanation> {
    let lock = if description.lock_path.exists() { Some(description.lock()?) } else { None };
    let owners = lock.as_ref().map(by_origin).unwrap_or_default();
    let brings = |origin: &str| {
        let packages = owners.get(&format!("@{origin}")).cloned().unwrap_or_default();
        OverlaySummary {
            name: origin.to_owned(),
            download: packages.iter().map(|(_, size)| size).sum(),
            packages: packages.into_iter().map(|(name, _)| name).collect(),
            ..OverlaySummary::default()
        }
    };
    let mut overlays: Vec<OverlaySummary> = description
        .overlays
        .iter()
        .map(|(overlay, ..)| OverlaySummary {
            description: overlay.description.clone(),
            wishes: overlay.packages.iter().map(ToString::to_string).collect(),
            left_out: overlay.withouts.iter().map(|w| (w.package.to_string(), w.reason.clone())).collect(),
            enables: overlay.units.enable.iter().map(ToString::to_string).collect(),
            ports: overlay
                .ports
                .iter()
                .map(|p| format!("{}/{} {}", p.number, p.protocol, p.purpose))
                .collect(),
            programs: overlay
                .programs
                .iter()
                .filter(|p| p.image.is_none())
                .map(|p| p.path.to_string())
                .collect(),
            images: overlay.images.iter().map(|image| image.name.to_string()).collect(),
            ..brings(&overlay.name)
        })
        .collect();
    let profile = &description.profile;
    overlays.push(OverlaySummary {
        description: "what the profile itself wishes for".into(),
        wishes: profile.packages.iter().map(ToString::to_string).collect(),
        images: images(profile, lock.as_ref()),
        ..brings(&profile.name)
    });
    overlays.push(OverlaySummary { description: "what every Debian has".into(), ..brings(ESSENTIAL) });
    Ok(Explanation {
        profile: description.profile.name.to_string(),
        description: description.profile.description.clone(),
        version: description.profile.version.to_string(),
        board: description.board.name.to_string(),
        tools: description
            .tools
            .tools
            .iter()
            .map(|t| (t.name.to_string(), lock.as_ref().map_or(0, |l| l.set(&t.name).count())))
            .collect(),
        lock: lock.map(|lock| LockSummary {
            digest: lock.digest().to_string(),
            source_date_epoch: lock.source_date_epoch,
            up_to_date: lock.wishes == wishes::digest(description),
        }),
        overlays,
    })
}

/// The profile's container images, with their sizes if they are locked.
fn images(profile: &Profile, lock: Option<&Lock>) -> Vec<String> {
    let size = |wish: &ImageWish| {
        let locked = lock?.images.iter().find(|image| image.reference == *wish.reference)?;
        Some(format!(" ({})", megabytes(locked.size())))
    };
    profile
        .images
        .iter()
        .map(|wish| format!("{}{}", wish.reference, size(wish).unwrap_or_default()))
        .collect()
}

/// The image's packages, with the sizes of their .debs, by the wish at the end of each one's chain.
fn by_origin(lock: &Lock) -> BTreeMap<String, Vec<(String, u64)>> {
    let mut out: BTreeMap<String, Vec<(String, u64)>> = BTreeMap::new();
    for package in lock.set(IMAGE) {
        let origin = why(lock, IMAGE, &package.name).pop().unwrap_or_default();
        out.entry(origin).or_default().push((package.name.clone(), package.size));
    }
    out
}

impl Report for Reason {
    fn text(&self) -> String {
        let mut out = format!("{} {}\n", self.package, self.version);
        for (depth, link) in self.chain.iter().skip(1).enumerate() {
            let words = match link.strip_prefix('@') {
                Some(ESSENTIAL) => "essential: every Debian has it".to_owned(),
                Some(origin) => format!("wished for by {origin}"),
                None => format!("needed by {link}"),
            };
            let _ = writeln!(out, "  {}{words}", "  ".repeat(depth));
        }
        out
    }
}

impl Report for Explanation {
    fn text(&self) -> String {
        let mut out = format!("{} {} for {}: {}\n", self.profile, self.version, self.board, self.description);
        match &self.lock {
            None => out.push_str("not locked yet\n"),
            Some(lock) => {
                let state = if lock.up_to_date { "up to date" } else { "older than the profile" };
                let _ = writeln!(out, "lock {}, {state}", lock.digest);
            }
        }
        for overlay in &self.overlays {
            let _ = writeln!(out, "\n{}: {}", overlay.name, overlay.description);
            let mut row = |name: &str, words: String| {
                if !words.is_empty() {
                    out.push_str(&table(&[vec![format!("{name:<10}"), words]]));
                }
            };
            row("wishes", overlay.wishes.join(" "));
            let count = counted(overlay.packages.len(), "package");
            row("brings", format!("{count}, {} to fetch", megabytes(overlay.download)));
            row("enables", overlay.enables.join(" "));
            row("programs", overlay.programs.join(" "));
            row("images", overlay.images.join(", "));
            row("ports", overlay.ports.join(", "));
            for (package, reason) in &overlay.left_out {
                row("leaves out", format!("{package}: {reason}"));
            }
        }
        let tools: Vec<String> =
            self.tools.iter().map(|(name, n)| format!("{name} ({})", counted(*n, "package"))).collect();
        let _ = writeln!(out, "\ntools: {}", tools.join(", "));
        out.push_str("\nWhy a package is there: geminios explain PROFILE PACKAGE\n");
        out
    }
}

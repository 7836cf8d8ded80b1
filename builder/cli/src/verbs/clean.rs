use anyhow::Result;
use geminios_compile::GoCaches;
use serde::Serialize;

use crate::args::Clean;
use crate::report::{self, Report};
use crate::session::Session;
use crate::terminal::megabytes;

#[derive(Serialize)]
struct Cleaned {
    cache: String,
    /// Bytes of finished steps, and of compiled Go packages.
    steps: u64,
    /// Bytes of downloads, Go modules and unpacked packages.
    store: u64,
    removed: bool,
    with_downloads: bool,
}

impl Report for Cleaned {
    fn text(&self) -> String {
        let verb = if self.removed { "removed" } else { "would remove" };
        let mut out = format!("{verb} finished steps: {}\n", megabytes(self.steps));
        if self.with_downloads {
            out += &format!("{verb} downloads: {}\n", megabytes(self.store));
        } else {
            out += &format!("kept downloads: {} (--all takes them, too)\n", megabytes(self.store));
        }
        out + &format!("cache: {}\n", self.cache)
    }
}

/// Removes what the cache holds.
pub fn run(session: &Session, args: &Clean) -> Result<()> {
    let (store, steps) = (session.store()?, session.steps()?);
    let go = GoCaches::of(&session.cache()?, false);
    let (packages, modules) = go.sizes()?;
    let cleaned = Cleaned {
        cache: session.cache()?.display().to_string(),
        steps: steps.size()? + packages,
        store: store.size()? + modules,
        removed: !args.dry_run,
        with_downloads: args.all,
    };
    if !args.dry_run {
        steps.clear()?;
        go.clear(args.all)?;
        if args.all {
            store.clear()?;
        }
    }
    report::print(&cleaned, session.global.format)
}

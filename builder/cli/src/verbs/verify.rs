use std::fmt::Write as _;

use anyhow::{Context, Result, bail};
use geminios_release::verify::{self, Report as Found};
use serde::Serialize;

use crate::args::release::Verify as Args;
use crate::report::{self, Report, counted};
use crate::session::Session;
use crate::terminal::megabytes;

#[derive(Serialize)]
struct Verdict {
    releases: Vec<String>,
    files: usize,
    bytes: u64,
    deltas_not_unpacked: usize,
    findings: Vec<Finding>,
    /// Whether a root of trust was given from outside.
    trusted: bool,
}

#[derive(Serialize)]
struct Finding {
    file: String,
    problem: String,
}

/// Checks what a device would check, and more.
pub fn run(session: &Session, args: &Args) -> Result<()> {
    let read = |path: &std::path::PathBuf| {
        std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))
    };
    let root = args.root.as_ref().map(read).transpose()?;
    let found = verify::verify(&args.path, root.as_deref(), args.clock.now()?, &session.terminal);
    let verdict = Verdict::of(found, root.is_some());
    report::print(&verdict, session.global.format)?;
    match verdict.findings.len() {
        0 => Ok(()),
        count => bail!("{}: {} found", args.path.display(), counted(count, "fault")),
    }
}

impl Verdict {
    fn of(found: Found, trusted: bool) -> Self {
        let finding = |finding: verify::Finding| Finding { file: finding.file, problem: finding.problem };
        Verdict {
            releases: found.releases,
            files: found.files,
            bytes: found.bytes,
            deltas_not_unpacked: found.deltas_not_unpacked,
            findings: found.findings.into_iter().map(finding).collect(),
            trusted,
        }
    }
}

impl Report for Verdict {
    fn text(&self) -> String {
        let mut out = String::new();
        for Finding { file, problem } in &self.findings {
            let _ = writeln!(out, "{file}: {problem}");
        }
        for release in &self.releases {
            let _ = writeln!(out, "  {}", release.trim_end_matches("/release.json"));
        }
        let _ = writeln!(out, "{}, {}", counted(self.files, "file"), megabytes(self.bytes));
        if self.deltas_not_unpacked > 0 {
            let _ = writeln!(
                out,
                "{} whose older release is not here: their bytes are right, what they unpack to was not seen",
                counted(self.deltas_not_unpacked, "delta")
            );
        }
        if self.findings.is_empty() {
            out.push_str(if self.trusted {
                "every device that believes this root takes it\n"
            } else {
                "it agrees with itself; give --root to see whether your devices believe it\n"
            });
        }
        out
    }
}

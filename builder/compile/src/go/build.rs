//! Fetches a program's modules and compiles it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use geminios_model::GoWish;

use crate::error::CompileError;
use crate::go::command::{self, common, offline, online};
use crate::go::{GoCaches, GoJob, GoTools};

/// For Go's linker: no symbols, no debug information, no build identifier, which would differ from host to host.
pub(crate) const LINK: &str = "-s -w -buildid=";

pub(crate) fn tags(wish: &GoWish) -> String {
    wish.tags.iter().map(|tag| tag.as_str()).collect::<Vec<_>>().join(",")
}

pub(crate) fn strings(wish: &GoWish) -> String {
    wish.strings.iter().map(|(name, value)| format!(" -X {name}={value}")).collect()
}

/// One compilation.
pub(crate) struct Run<'a> {
    pub job: &'a GoJob<'a>,
    pub tools: &'a GoTools,
    pub caches: &'a GoCaches,
    /// The module's files, copied.
    pub source: &'a Path,
    pub tmp: &'a Path,
}

impl Run<'_> {
    /// Fetches what the program needs and the cache lacks, checked against go.sum; gives the packages it is made of.
    pub fn fetch(&self) -> Result<BTreeSet<String>, CompileError> {
        let mut go = self.go("list");
        if self.caches.fetch {
            online(&mut go)
        } else {
            offline(&mut go)
        }
        go.args(["-deps", &self.job.wish.package]);
        let printed = command::run(go, &|line| line.starts_with("go: downloading "))?;
        if printed.success {
            return Ok(printed.out.lines().map(str::to_owned).collect());
        }
        Err(self.refusal(printed.errors))
    }

    /// Compiles without the network; `compiled` is told of each package.
    pub fn build(
        &self,
        packages: &BTreeSet<String>,
        to: &Path,
        compiled: &(dyn Fn() + Sync),
    ) -> Result<(), CompileError> {
        let mut go = self.go("build");
        offline(&mut go);
        let link = format!("{LINK}{}", strings(self.job.wish));
        go.args(["-v", "-trimpath", "-buildvcs=false", "-ldflags", &link, "-o"]).arg(to);
        go.arg(self.job.wish.package.as_str());
        let printed = command::run(go, &|line| {
            let known = packages.contains(line);
            if known {
                compiled();
            }
            known
        })?;
        if printed.success { Ok(()) } else { Err(self.refusal(printed.errors)) }
    }

    fn go(&self, verb: &str) -> Command {
        let mut go = self.tools.command();
        common(&mut go, self.caches, self.tmp);
        go.current_dir(self.source)
            .env("CGO_ENABLED", "0")
            .env("GOOS", "linux")
            .env("GOARCH", self.job.target.go())
            .args([verb, "-mod=readonly", "-tags", &tags(self.job.wish)]);
        go
    }

    fn refusal(&self, message: String) -> CompileError {
        let program = self.job.binary.to_owned();
        let message = message.replace(&format!("{}/", self.source.display()), "");
        let module = self.job.module.display().to_string();
        let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
        if says(&["checksum mismatch", "SECURITY ERROR"]) {
            CompileError::GoSumMismatch { program, module, message }
        } else if says(&["missing go.sum entry", "updates to go.mod needed"]) {
            CompileError::GoSumMissing { program, module, message }
        } else if says(&["dial tcp", "proxy", "lookup", "GOPROXY", "reading http", "module lookup disabled"])
        {
            CompileError::GoModules { program, message }
        } else {
            CompileError::Refused { program, message }
        }
    }
}

//! Programs in Rust.

use std::fs;
use std::path::Path;

use geminios_fetch::{Steps, Store};
use geminios_model::{Arch, Digest, Progress, Unit};
use geminios_unpack::ToolSet;

use crate::error::{CompileError, at};
use crate::program::{Compiled, keep, make_folder};

mod cargo;
mod crates;
mod linker;
mod locked;
mod manifest;
mod stage;

use cargo::{FLAGS, PROFILE};
pub use crates::HostCargo;
use locked::Locked;
use stage::Stage;

/// Changes when the same inputs would give other bytes.
const VERSION: &[u8] = b"1";

/// Which program to compile.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// Folder of the cargo workspace, with Cargo.lock.
    pub workspace: &'a Path,
    /// Folder of the program's package, below `workspace`.
    pub package: &'a Path,
    /// Name of the binary.
    pub binary: &'a str,
    /// What it will run on.
    pub target: Arch,
}

/// Compiles a program with the locked compiler `tools`, or takes it from the cache if nothing changed.
///
/// # Errors
/// Manifests and Cargo.lock that do not fit together, crates that are not what Cargo.lock says, and what the
/// compiler says about the program.
pub fn compile(
    job: &Job<'_>,
    tools: &ToolSet,
    host: &HostCargo,
    store: &Store,
    steps: &Steps,
    progress: &dyn Progress,
) -> Result<Compiled, CompileError> {
    let stage = Stage::read(job.workspace, job.package)?;
    let locked = Locked::read(&job.workspace.join("Cargo.lock"))?.reachable_from(&stage)?;
    let key = key(job, tools, &stage, &locked);
    let title = format!("compile {}", stage.program());
    progress.begin(&title, 0, Unit::Items);
    let reused = steps.get("program", &key).is_some();
    let folder = steps.put("program", &key, |dir| {
        let work = dir.join("work");
        let blobs = crates::in_store(&locked, host, job.workspace, store)?;
        make_folder(&work)?;
        crates::vendor(&locked, &blobs, &work.join("vendor"))?;
        stage.write(&work, PROFILE, &locked)?;
        let built = cargo::build(job, tools, stage.program(), &work)?;
        keep(&built, &dir.join(job.binary))?;
        fs::remove_dir_all(&work).map_err(at(&work))
    })?;
    let compiled = Compiled::read(folder.join(job.binary))?;
    progress.end(&title, &compiled.summary(reused));
    Ok(compiled)
}

/// Digest of all that the binary depends on.
fn key(job: &Job<'_>, tools: &ToolSet, stage: &Stage, locked: &Locked) -> Digest {
    let mut parts = vec![
        VERSION.to_vec(),
        tools.digest().bytes().to_vec(),
        job.target.rust_target().into(),
        job.binary.into(),
        PROFILE.into(),
        FLAGS.join(" ").into_bytes(),
        locked.to_text().into_bytes(),
    ];
    for (path, bytes) in stage.files() {
        parts.push(path.as_bytes().to_vec());
        parts.push(bytes.to_vec());
    }
    Digest::of_parts(parts.iter().map(Vec::as_slice))
}

//! Programs in Go.

use std::path::Path;

use geminios_fetch::{Steps, StepsError};
use geminios_model::{Arch, Digest, GoPin, GoWish, Progress, Unit};

use crate::error::{CompileError, at};
use crate::program::{Compiled, keep, make_folder};

mod build;
mod caches;
mod command;
mod module;
mod toolchain;

use build::LINK;
pub use caches::GoCaches;
use module::Module;
pub use toolchain::GoTools;

/// Changes when the same inputs would give other bytes.
const VERSION: &[u8] = b"1";

/// Which program to compile.
#[derive(Clone, Copy, Debug)]
pub struct GoJob<'a> {
    /// Folder of the module, with go.mod and go.sum.
    pub module: &'a Path,
    /// Name of the binary.
    pub binary: &'a str,
    pub wish: &'a GoWish,
    /// What it will run on.
    pub target: Arch,
}

/// Compiles a program, or takes it from the cache if nothing changed; then `tools` is not called.
///
/// # Errors
/// Modules that cannot be fetched or are not what go.sum says, and what the compiler says about the program.
pub fn compile_go<E: From<CompileError> + From<StepsError>>(
    job: &GoJob<'_>,
    pin: &GoPin,
    tools: impl FnOnce() -> Result<GoTools, E>,
    caches: &GoCaches,
    steps: &Steps,
    progress: &dyn Progress,
) -> Result<Compiled, E> {
    let module = Module::read(job.module)?;
    let key = key(job, pin, &module);
    let title = format!("compile {}", job.binary);
    progress.begin(&title, 0, Unit::Items);
    let reused = steps.get("go-program", &key).is_some();
    let folder = steps.put("go-program", &key, |dir| -> Result<(), E> {
        let (work, tools) = (dir.join("work"), tools()?);
        let source = work.join("module");
        module.write(&source)?;
        make_folder(&work.join("tmp"))?;
        let run = build::Run { job, tools: &tools, caches, source: &source, tmp: &work.join("tmp") };
        let packages = run.fetch()?;
        progress.begin(&title, packages.len() as u64, Unit::Items);
        let built = work.join(job.binary);
        run.build(&packages, &built, &|| progress.advance(&title, 1))?;
        keep(&built, &dir.join(job.binary))?;
        Ok(std::fs::remove_dir_all(&work).map_err(at(&work))?)
    })?;
    let compiled = Compiled::read(folder.join(job.binary))?;
    progress.end(&title, &compiled.summary(reused));
    Ok(compiled)
}

/// Digest of all that the binary depends on.
fn key(job: &GoJob<'_>, pin: &GoPin, module: &Module) -> Digest {
    let wish = job.wish;
    let mut parts: Vec<Vec<u8>> = vec![
        VERSION.to_vec(),
        pin.version.as_bytes().to_vec(),
        pin.sum.as_bytes().to_vec(),
        job.target.go().into(),
        job.binary.into(),
        wish.package.as_bytes().to_vec(),
        LINK.into(),
        build::tags(wish).into_bytes(),
        build::strings(wish).into_bytes(),
    ];
    for (path, bytes) in module.files() {
        parts.push(path.as_bytes().to_vec());
        parts.push(bytes.to_vec());
    }
    Digest::of_parts(parts.iter().map(Vec::as_slice))
}

//! Runs the locked cargo on a staged workspace.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use geminios_model::Arch;
use geminios_unpack::ToolSet;

use crate::error::{CompileError, at};
use crate::program::make_folder;
use crate::rust::Job;
use crate::rust::linker::{self, quoted};

/// How device programs are optimised: for size, as one unit, so that the job count has nothing to decide.
pub(crate) const PROFILE: &str = "\
[profile.release]
codegen-units = 1
debug = false
incremental = false
lto = \"fat\"
opt-level = \"s\"
panic = \"abort\"
strip = \"symbols\"
";

/// For the program, not for what runs here while it is compiled: no shared library, no relocation at its start.
pub(crate) const FLAGS: [&str; 2] = ["-Ctarget-feature=+crt-static", "-Crelocation-model=static"];

/// What stands for the folder of the staged workspace in messages of the program.
const FOLDER: &str = "/geminios";

/// Compiles; returns the binary's path below `work`.
pub(crate) fn build(
    job: &Job<'_>,
    tools: &ToolSet,
    package: &str,
    work: &Path,
) -> Result<PathBuf, CompileError> {
    let (bin, home, target) = (work.join("bin"), work.join("home"), work.join("target"));
    make_folder(&bin)?;
    make_folder(&home)?;
    let config = home.join("config.toml");
    fs::write(&config, source_config(&work.join("vendor"))).map_err(at(&config))?;
    let triple = job.target.rust_target();
    let mut cargo = tools.command("cargo");
    cargo
        // Cargo looks for configuration in this folder and those above it: here only the host's owner can have put any.
        .current_dir("/")
        .args(["build", "--release", "--offline", "--color=never", "--quiet", "--manifest-path"])
        .arg(work.join("Cargo.toml"))
        .args(["--target", triple, "--package", package, "--bin", job.binary])
        .env("CARGO_HOME", &home)
        .env("CARGO_TARGET_DIR", &target)
        .env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\x1f"))
        .env("RUSTC", rustc(tools, &bin, work)?);
    // What runs here while it compiles (build scripts, procedural macros) is linked for the host.
    for arch in Arch::host().into_iter().chain([job.target]) {
        let linker = linker::write(tools, arch, &bin.join(arch.rust_target()))?;
        cargo.env(linker_variable(arch), linker);
    }
    let output = cargo.output().map_err(at(Path::new("cargo of the locked tools")))?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr).replace(&format!("{}/", work.display()), "");
        let refused =
            CompileError::Refused { program: package.to_owned(), message: message.trim_end().to_owned() };
        let no_binary = message.contains("no bin target named");
        let missing =
            || CompileError::NoBinary { program: package.to_owned(), binary: job.binary.to_owned() };
        return Err(if no_binary { missing() } else { refused });
    }
    Ok(target.join(triple).join("release").join(job.binary))
}

fn source_config(vendor: &Path) -> String {
    let vendor = toml::Value::String(vendor.display().to_string());
    format!("[source.crates-io]\nreplace-with = \"locked\"\n\n[source.locked]\ndirectory = {vendor}\n")
}

/// rustc by its loader. The folder is mapped away here and not in the flags, which cargo makes part of symbol names.
fn rustc(tools: &ToolSet, bin: &Path, work: &Path) -> Result<PathBuf, CompileError> {
    let folder = bin.join("tools");
    make_folder(&folder)?;
    let program = quoted(&tools.wrapper("rustc", &folder)?);
    let map = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", quoted(from));
    let (tools, work) = (map(&tools.path(""), "/tools/"), map(work, FOLDER));
    let path = bin.join("rustc");
    fs::write(&path, format!("#!/bin/sh\nexec {program} \"$@\" {tools} {work}\n")).map_err(at(&path))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).map_err(at(&path))?;
    Ok(path)
}

/// The variable that names an architecture's linker to cargo.
fn linker_variable(arch: Arch) -> String {
    format!("CARGO_TARGET_{}_LINKER", arch.rust_target().to_uppercase().replace('-', "_"))
}

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, bail};
use geminios_fetch::Steps;
use geminios_model::{Arch, Lock, Source};
use geminios_unpack::ToolSet;

/// The command and the image it built, as a user has them.
pub struct Product {
    /// The project's folder.
    pub project: PathBuf,
    /// The `geminios` program.
    pub geminios: PathBuf,
    /// Name or path of the profile under test; GEMINIOS_TEST_PROFILE names another than x86-edge.
    pub profile: String,
    /// The build's folder.
    pub out: PathBuf,
}

/// Builds the command and the image once a test process.
///
/// # Panics
/// When either cannot be built: there is nothing to test then.
pub fn product() -> &'static Product {
    static PRODUCT: OnceLock<Product> = OnceLock::new();
    PRODUCT.get_or_init(|| match Product::build() {
        Ok(product) => product,
        Err(error) => panic!("the image under test was not built: {error:?}"),
    })
}

impl Product {
    fn build() -> Result<Self> {
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("no project folder")?.to_owned();
        let profile = std::env::var("GEMINIOS_TEST_PROFILE").unwrap_or_else(|_| "x86-edge".into());
        let out = project.join("target/qemu-tests/build");
        let geminios = project.join("target/release/geminios");
        // Cargo would compile half of it again: whoever tests the workspace has it with other features.
        if !is_newer(&geminios, &project)? {
            run(Command::new(env!("CARGO"))
                .args(["build", "--release", "--package", "geminios"])
                .current_dir(&project))?;
        }
        Product { geminios, project, profile, out }.built()
    }

    /// The image, built where it belongs.
    pub(crate) fn built(self) -> Result<Self> {
        run(self.command("build").arg(&self.profile).arg("--out").arg(&self.out).arg("--no-compress"))?;
        Ok(self)
    }

    /// A verb of the command, in the project's folder.
    pub fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(&self.geminios);
        command.arg(verb).current_dir(&self.project);
        command
    }

    /// A locked tool that the build used.
    ///
    /// # Errors
    /// The lock cannot be read; the cache lacks the tools.
    pub fn build_tool(&self, program: &str) -> Result<Command> {
        let tools = ToolSet::unpacked(&Steps::open(&cache()?)?, Arch::Amd64, self.lock()?.set("build"))?;
        Ok(tools.context("the build's tools are not unpacked")?.command(program))
    }

    /// The profile's file, `toml`, or the one beside it, `lock`.
    pub(crate) fn profile_file(&self, extension: &str) -> PathBuf {
        // An absolute path stays as it is.
        self.project.join("profiles").join(&self.profile).with_extension(extension)
    }

    /// The profile's lock.
    pub(crate) fn lock(&self) -> Result<Lock> {
        let path = self.profile_file("lock");
        Ok(Lock::parse(&Source::new(&path, std::fs::read_to_string(&path)?))?)
    }

    /// The built disk image.
    ///
    /// # Errors
    /// The manifest cannot be read.
    pub fn image(&self) -> Result<PathBuf> {
        let manifest: serde_json::Value =
            serde_json::from_slice(&std::fs::read(self.out.join("manifest.json"))?)?;
        let name = manifest["files"]["image"]["name"].as_str().context("the manifest names no image")?;
        Ok(self.out.join(name))
    }
}

/// The user's cache, as the command finds it.
pub(crate) fn cache() -> Result<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    if let Some(dir) = variable("GEMINIOS_CACHE") {
        return Ok(dir);
    }
    let dir = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
    Ok(dir.context("neither HOME nor XDG_CACHE_HOME is set")?.join("geminios"))
}

/// Whether a program was built after all that it is made of was last changed.
fn is_newer(program: &Path, project: &Path) -> Result<bool> {
    let Ok(built) = program.metadata().and_then(|data| data.modified()) else { return Ok(false) };
    let mut open = vec![project.join("Cargo.toml"), project.join("Cargo.lock"), project.join("builder")];
    while let Some(path) = open.pop() {
        let data = path.symlink_metadata()?;
        if data.modified()? > built {
            return Ok(false);
        }
        if data.is_dir() {
            open.extend(
                std::fs::read_dir(&path)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?,
            );
        }
    }
    Ok(true)
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{command:?}"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::product::Product;

/// A profile of which there are several versions, and the repository that devices get them from.
pub struct Fleet {
    /// A copy of the project's descriptions, with overlays of the test's own.
    project: TempDir,
    geminios: PathBuf,
    profile: String,
    /// What is served.
    repository: PathBuf,
    server: Server,
    /// What the tests were given, with its tools.
    first: &'static Product,
}

/// What an overlay of a test brings: files of its `rootfs`, and units to enable.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    pub name: &'a str,
    pub files: &'a [(&'a str, &'a str)],
    /// Paths of those files that are programs.
    pub programs: &'a [&'a str],
    pub units: &'a [&'a str],
    /// More of its overlay.toml.
    pub more: &'a str,
}

struct Server {
    process: Child,
    port: u16,
}

impl Fleet {
    /// Makes keys, a profile that believes them, and an empty repository with a server.
    ///
    /// # Errors
    /// A file cannot be made; the command refuses.
    pub fn of(product: &'static Product, profile: &str) -> Result<Self> {
        let project = TempDir::new_in(product.project.join("target"))?;
        for name in ["overlays", "boards", "profiles", "keys", "tools.toml", "Cargo.toml", "Cargo.lock"] {
            let copied =
                Command::new("cp").arg("-r").arg(product.project.join(name)).arg(project.path()).status()?;
            if !copied.success() {
                bail!("{name} was not copied");
            }
        }
        let repository = project.path().join("repository");
        let path = project.path().join(format!("profiles/{profile}.toml"));
        let text = fs::read_to_string(&path)?;
        let update = "\n[update]\nroot = \"../signing/1.root.json\"\nurl = \"http://10.0.2.100\"\n";
        fs::write(&path, format!("{text}{update}"))?;
        let mut fleet = Fleet {
            geminios: product.geminios.clone(),
            profile: profile.to_owned(),
            server: Server::of(product, &repository)?,
            repository,
            project,
            first: product,
        };
        fleet.run(&["keys", "init", "signing"])?;
        fleet.server.wait()?;
        Ok(fleet)
    }

    /// Builds a version, with changes to the profile.
    ///
    /// # Errors
    /// A file cannot be made; the command refuses.
    pub fn build(&self, version: &str, changes: &[Change<'_>]) -> Result<Product> {
        let profile = self.profile_with(version, changes)?;
        let out = self.project.path().join("out").join(version);
        fs::create_dir_all(&out)?;
        let (project, geminios) = (self.project.path().to_owned(), self.geminios.clone());
        Product { project, geminios, profile, out }.built()
    }

    /// Builds a version and publishes it.
    ///
    /// # Errors
    /// As of [`Fleet::build`].
    pub fn publish(&self, version: &str, changes: &[Change<'_>]) -> Result<Product> {
        let product = self.build(version, changes)?;
        let out = path(&product.out)?;
        self.run(&[
            "publish",
            out,
            "--repo",
            path(&self.repository)?,
            "--keys",
            "signing",
            "--channel",
            "stable",
            "--level",
            "3",
        ])?;
        Ok(product)
    }

    /// What is on a USB stick with the newest release: a FAT file system and a bundle in it.
    ///
    /// # Errors
    /// The command refuses; a tool fails.
    pub fn stick(&self, folder: &Path) -> Result<PathBuf> {
        let (bundle, stick) = (folder.join("release.gemini"), folder.join("stick.img"));
        self.run(&["bundle", path(&self.repository)?, "--output", path(&bundle)?])?;
        let sectors = (bundle.metadata()?.len() + (64 << 20)) / 512;
        fs::File::create(&stick)?.set_len(sectors * 512)?;
        let sectors = sectors.to_string();
        for (program, arguments) in [
            ("mformat", vec!["-F", "-T", &sectors, "-i", path(&stick)?, "::"]),
            ("mcopy", vec!["-i", path(&stick)?, path(&bundle)?, "::"]),
        ] {
            let status = self.first.build_tool(program)?.args(arguments).status()?;
            if !status.success() {
                bail!("{program} ended with {status}");
            }
        }
        fs::remove_file(&bundle)?;
        Ok(stick)
    }

    /// Options of `geminios run` for its machines: they reach the repository at the address that the profile names. Without
    /// Kubernetes one processor is enough.
    #[must_use]
    pub fn options(&self) -> Vec<String> {
        let mut options = vec![format!("--reach={}", self.server.port)];
        if self.profile == "x86-base" {
            options.push("--cpus=1".to_owned());
        }
        options
    }

    fn run(&self, arguments: &[&str]) -> Result<()> {
        let status =
            Command::new(&self.geminios).args(arguments).current_dir(self.project.path()).status()?;
        if !status.success() {
            bail!("geminios {} ended with {status}", arguments.join(" "));
        }
        Ok(())
    }

    fn profile_with(&self, version: &str, changes: &[Change<'_>]) -> Result<String> {
        let file =
            |extension: &str| self.project.path().join(format!("profiles/{}.{extension}", self.profile));
        let text = fs::read_to_string(file("toml"))?;
        let (before, rest) = text.split_once("\noverlays = [").context("the profile names no overlays")?;
        let (list, after) = rest.split_once(']').context("the profile names no overlays")?;
        let more: String = changes.iter().map(|change| format!(", \"{}\"", change.name)).collect();
        let text = format!("{before}\noverlays = [{list}{more}]{after}");
        let old =
            text.lines().find(|line| line.starts_with("version = ")).context("the profile has no version")?;
        let text = text.replacen(old, &format!("version = \"{version}\""), 1);
        for change in changes {
            self.overlay(change)?;
        }
        // A profile is called as its file, and its root of trust stands beside it.
        let folder = self.project.path().join("versions").join(version);
        fs::create_dir_all(&folder)?;
        let scratch = folder.join(format!("{}.toml", self.profile));
        fs::write(&scratch, text.replacen("../signing", "../../signing", 1))?;
        fs::copy(file("lock"), scratch.with_extension("lock"))?;
        Ok(path(&scratch)?.to_owned())
    }

    fn overlay(&self, change: &Change<'_>) -> Result<()> {
        let folder = self.project.path().join("overlays").join(change.name);
        let units: Vec<String> = change.units.iter().map(|unit| format!("{unit:?}")).collect();
        let text = format!(
            "name = {:?}\ndescription = \"A test\"\n\n[units]\nenable = [{}]\n{}",
            change.name,
            units.join(", "),
            change.more
        );
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("overlay.toml"), text)?;
        for (name, content) in change.files {
            let file = folder.join("rootfs").join(name);
            fs::create_dir_all(file.parent().context("a file has no folder")?)?;
            fs::write(&file, content)?;
            if change.programs.contains(name) {
                fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
            }
        }
        Ok(())
    }
}

fn path(path: &Path) -> Result<&str> {
    path.to_str().context("the project's folder is not UTF-8")
}

impl Server {
    fn of(product: &Product, repository: &Path) -> Result<Self> {
        fs::create_dir_all(repository)?;
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let process = product
            .command("serve")
            .arg(repository)
            .args(["--port", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("`geminios serve` cannot be started")?;
        Ok(Server { process, port })
    }

    fn wait(&mut self) -> Result<()> {
        for _ in 0..100 {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return Ok(());
            }
            if let Some(status) = self.process.try_wait()? {
                bail!("`geminios serve` ended with {status}");
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        bail!("`geminios serve` does not answer");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

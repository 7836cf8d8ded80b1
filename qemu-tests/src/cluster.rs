use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::product::Product;

/// Longer than anything in a cluster takes under emulation on a busy machine: a guard against hangs, no measure.
const PATIENCE: Duration = Duration::from_secs(900);

/// A device's cluster, as somebody on the host sees it through the forwarded port.
pub struct Cluster {
    kubectl: PathBuf,
    kubeconfig: PathBuf,
}

impl Cluster {
    /// Waits until the device whose disk is in `state` has handed its kubeconfig over.
    ///
    /// # Errors
    /// It never does; or the image has no kubectl.
    pub fn of(product: &Product, state: &Path) -> Result<Self> {
        let cluster = Cluster { kubectl: kubectl(product)?, kubeconfig: state.join("kubeconfig") };
        let begun = Instant::now();
        while !cluster.kubeconfig.exists() {
            if begun.elapsed() > PATIENCE {
                bail!("the device never handed a kubeconfig over");
            }
            std::thread::sleep(Duration::from_secs(1));
        }
        Ok(cluster)
    }

    /// The image's kubectl, for the host.
    pub fn program(&self) -> &Path {
        &self.kubectl
    }

    /// What an administrator has.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// What kubectl prints.
    ///
    /// # Errors
    /// It fails; with what it said.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        self.run(arguments, "")
    }

    /// Creates or changes objects.
    ///
    /// # Errors
    /// As [`Cluster::kubectl`].
    pub fn apply(&self, objects: &str) -> Result<String> {
        self.run(&["apply", "-f", "-"], objects)
    }

    /// Tries until a command succeeds, for as long as anything may take.
    ///
    /// # Errors
    /// It never does; with what it said last.
    pub fn until(&self, arguments: &[&str]) -> Result<String> {
        let begun = Instant::now();
        loop {
            match self.kubectl(arguments) {
                Err(error) if begun.elapsed() > PATIENCE => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_secs(2)),
                done => return done,
            }
        }
    }

    /// Waits for a condition of an object that is there.
    ///
    /// # Errors
    /// It never comes.
    pub fn wait(&self, object: &str, condition: &str) -> Result<String> {
        self.until(&["wait", object, &format!("--for={condition}"), "--timeout=60s"])
    }

    fn run(&self, arguments: &[&str], input: &str) -> Result<String> {
        let mut child = Command::new(&self.kubectl)
            .args(["--kubeconfig".as_ref(), self.kubeconfig.as_os_str()])
            .args(arguments)
            .env("HOME", self.kubeconfig.parent().context("no state folder")?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("kubectl cannot be started")?;
        child.stdin.take().context("no standard input")?.write_all(input.as_bytes())?;
        let output = child.wait_with_output()?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("`kubectl {}` ended with {}:\n{text}\n{said}", arguments.join(" "), output.status);
        }
        Ok(text)
    }
}

/// The image's own kubectl: static, so the host can run it too.
fn kubectl(product: &Product) -> Result<PathBuf> {
    let folder = tempfile::Builder::new().prefix("kubectl-").tempdir_in(product.project.join("target"))?;
    let path = folder.path().join("kubectl");
    // A copy that another process writes: what this one had open for writing while another test starts a program cannot be run
    // ("text file busy").
    let file = std::fs::File::create(folder.path().join("read"))?;
    let mut inspect = product.command("inspect");
    let output = inspect.arg(&product.out).args(["--read", "/usr/bin/kube"]).stdout(file).output()?;
    if !output.status.success() {
        bail!("the image has no kubectl: {}", String::from_utf8_lossy(&output.stderr));
    }
    let installed =
        std::process::Command::new("install").arg(folder.path().join("read")).arg(&path).status()?;
    if !installed.success() {
        bail!("kubectl was not installed");
    }
    let to = product.project.join("target/qemu-tests/kubectl");
    // Renamed over: another test may be running the one that is there.
    std::fs::rename(&path, &to)?;
    Ok(to)
}

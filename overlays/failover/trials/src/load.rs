//! The client: the checker, which writes through the site's address all the time and judges in the end.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;

use crate::choice::pace;
use crate::command::run;
use crate::network::{Host, Network};

/// Names a checker that was built before.
pub const VARIABLE: &str = "GEMINIOS_TRIALS_CHECKER";

pub struct Load {
    checker: PathBuf,
    kubeconfig: PathBuf,
    pub history: PathBuf,
    child: Option<Child>,
}

/// A time without an acknowledged write.
#[derive(Clone, Debug, Deserialize)]
pub struct Gap {
    pub seconds: f64,
    pub ended: bool,
    /// From the fault to the first acknowledgement.
    #[serde(default, rename = "seconds_since")]
    pub since: f64,
}

#[derive(Deserialize)]
struct Gaps {
    writes: Vec<Gap>,
}

impl Load {
    /// # Errors
    /// The checker cannot be built or started.
    pub fn start(network: &Network, folder: &Path, kubeconfig: &Path) -> Result<Self> {
        let checker = checker()?;
        let history = folder.join("history.jsonl");
        let log = std::fs::File::create(folder.join("checker.log"))?;
        let mut command = network.at(Host::Client);
        let (timeout, rate) =
            (format!("--timeout={}s", pace()), format!("--rate={}", 20 / pace().clamp(1, 10)));
        command.arg(&checker).args(["run", "--until-signal", "--keep=300", "--watches=2", "--settle=5m"]);
        command.args([timeout, rate]);
        command.arg("--history").arg(&history).arg("--kubeconfig").arg(kubeconfig);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().context("nsenter")?;
        Ok(Load { checker, kubeconfig: kubeconfig.to_owned(), history, child: Some(child) })
    }

    /// The longest gap that ended after this time, in milliseconds of the wall clock since 1970.
    ///
    /// # Errors
    /// The history cannot be read.
    pub fn gap(&self, fault: &str) -> Result<Option<Gap>> {
        let mut command = Command::new(&self.checker);
        command.args(["gaps", "--format=json", "--most=1", "--from", fault, "--history"]).arg(&self.history);
        let gaps: Gaps = serde_json::from_str(&run(&mut command)?)?;
        Ok(gaps.writes.into_iter().next())
    }

    /// Ends the load, reads all back and has it judged.
    ///
    /// # Errors
    /// Something that was promised was not kept, or could not be found out; with the checker's words.
    pub fn judge(mut self, network: &Network) -> Result<String> {
        self.stop()?;
        let mut command = network.at(Host::Client);
        command
            .arg(&self.checker)
            .args(["verify", "--history"])
            .arg(&self.history)
            .arg("--kubeconfig")
            .arg(&self.kubeconfig);
        let output = command.output().context("nsenter")?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            bail!("{}: {said}{}", output.status, String::from_utf8_lossy(&output.stderr));
        }
        Ok(said)
    }

    fn stop(&mut self) -> Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
            kill_process(pid, Signal::TERM)?;
        }
        child.wait()?;
        Ok(())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}

/// # Errors
/// It cannot be built.
pub fn checker() -> Result<PathBuf> {
    if let Some(given) = std::env::var_os(VARIABLE) {
        return Ok(given.into());
    }
    geminios_qemu_tests::product().go_program("overlays/failover/checker", "checker").context(VARIABLE)
}

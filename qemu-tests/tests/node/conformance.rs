//! Kubernetes' own specs of watches, lists, custom resources, garbage collector and namespaces, from the host's side.
//!
//! GEMINIOS_CONFORMANCE=all runs those too that the list has for when there is time.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::Node;

/// What every pod is held by: the only image that specs may have run.
const PAUSE: &str = "localhost/geminios/pause:1";

pub fn kept(node: &mut Node) -> Result<()> {
    let runner = node.product.go_program("qemu-tests/e2e", "e2e")?;
    let list = node.product.project.join("qemu-tests/e2e/specs.txt");
    refuses_an_unknown_spec(&runner, &list)?;
    let mut child = Command::new(runner)
        .arg("--specs")
        .arg(list)
        .arg("--kubeconfig")
        .arg(node.cluster.kubeconfig())
        .arg("--kubectl-path")
        .arg(node.cluster.program())
        .args(["--pause-image", PAUSE, "--procs", "2"])
        .args(std::env::var_os("GEMINIOS_CONFORMANCE").map(|_| "--all"))
        .env("HOME", node.disk.path())
        .stdout(Stdio::piped())
        .spawn()
        .context("the specs cannot be started")?;
    for line in BufReader::new(child.stdout.take().context("no standard output")?).lines() {
        println!("{}", line?);
    }
    let status = child.wait()?;
    ensure!(status.success(), "the specs ended with {status}");
    Ok(())
}

/// Or a spec that Kubernetes renamed would be lost without a word.
fn refuses_an_unknown_spec(runner: &Path, list: &Path) -> Result<()> {
    let wrong = tempfile::NamedTempFile::new()?;
    std::fs::write(&wrong, std::fs::read_to_string(list)?.replacen(" Watchers ", " Watchmen ", 1))?;
    let refused = Command::new(runner).arg("--specs").arg(wrong.path()).output()?;
    let said = String::from_utf8_lossy(&refused.stderr);
    ensure!(
        !refused.status.success() && said.contains("no such spec: [sig-api-machinery] Watchmen "),
        "{said}"
    );
    Ok(())
}

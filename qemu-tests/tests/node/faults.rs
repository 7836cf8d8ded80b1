//! What goes wrong on a device and passes by: it says what it is, loses nothing, and nobody has to come.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use geminios_qemu_tests::{Writer, verify};

use crate::Node;

pub fn pass_by(node: &mut Node) -> Result<()> {
    a_taken_port(node).context("a taken port")?;
    a_full_disk(node).context("a full disk")
}

/// Somebody else listens where the API server wants to.
fn a_taken_port(node: &mut Node) -> Result<()> {
    let device = &mut node.device;
    device.succeed("systemctl stop kube-apiserver")?;
    device.succeed(
        "systemd-run --quiet --unit=squatter --property=DefaultDependencies=no --socket-property=ListenStream=6443 \
         sleep infinity",
    )?;
    device.succeed("systemctl start --no-block kube-apiserver")?;
    device.succeed(
        "for i in $(seq 300); do journalctl --boot --unit=kube-apiserver --lines=200 | \
         grep --quiet ':6443: bind: address already in use' && break; sleep 1; done; [ $i != 300 ]",
    )?;
    device.succeed("systemctl stop squatter.socket squatter.service")?;
    node.cluster.until(&["get", "--raw=/readyz"]).map(drop)
}

/// Nothing is left on /var for anybody, root included.
fn a_full_disk(node: &mut Node) -> Result<()> {
    let writer = Writer::start(Arc::clone(&node.cluster), "full");
    writer.until(3)?;
    // What root may have is less than what is free: ext4 keeps some clusters for itself.
    let filled = node.device.succeed(
        "i=0; for size in 256M 16M 1M 64K 4K; do \
         while fallocate --length $size /var/full.$i 2>/dev/null; do i=$((i+1)); done; done; sync; \
         [ $(stat --file-system --format=%a /var) -lt 16 ]",
    );
    let refusal = filled.and_then(|_| node.refused_write());
    node.device.succeed("rm -f /var/full.*")?;
    let refusal = refusal?;
    // Kine by itself would say that all is well.
    let says = refusal.contains("did not store it") || refusal.contains("No space left on device");
    ensure!(says, "the refusal says why: {refusal}");
    writer.until(writer.count() + 3)?;
    let acknowledged = writer.finish();
    verify(&node.cluster, &acknowledged)?;
    let images = node.device.succeed("ctr --namespace k8s.io images ls --quiet")?;
    ensure!(images.contains("localhost/geminios/demo:1"), "the images of the disk stay: {images}");
    Ok(())
}

impl Node {
    /// Writes until the API says no; what it says.
    fn refused_write(&self) -> Result<String> {
        let large = format!("--from-literal=value={}", noise(64 << 10));
        for number in 0..200 {
            let name = format!("large-{number}");
            let write = ["create", "configmap", &name, &large, "--request-timeout=60s"];
            if let Err(error) = self.cluster.kubectl(&write) {
                return Ok(format!("{error:#}"));
            }
        }
        anyhow::bail!("a full disk took 200 objects of 64 KiB")
    }
}

/// Letters that PostgreSQL cannot store in less room.
fn noise(length: usize) -> String {
    let step = |state: &u64| Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    let numbers = std::iter::successors(Some(1), step);
    numbers.take(length).map(|state| char::from(b'a' + (state >> 33) as u8 % 26)).collect()
}

/// The battery of the clock is empty, and the power cut took a certificate with it.
pub fn of_clock_and_certificate(mut node: Node) -> Result<Node> {
    let certificate = "/var/lib/kubernetes/pki/apiserver.crt";
    let before: u64 = node.device.succeed("date +%s")?.parse()?;
    node.device.succeed(&format!("echo damaged >{certificate}; sync"))?;
    node = node.power_cycle(&["--clock", "1970-01-01"])?;
    let after: u64 = node.device.succeed("date +%s")?.parse()?;
    ensure!(after + 3600 > before, "the clock goes on where it was: {before}, then {after}");
    ensure!(node.device.succeed(&format!("head -n 1 {certificate}"))?.contains("BEGIN CERTIFICATE"));
    let said = node.device.succeed("journalctl --boot --unit=kubernetes-bootstrap --output=cat")?;
    ensure!(said.contains("apiserver.crt"), "the log says what was mended: {said}");
    Ok(node)
}

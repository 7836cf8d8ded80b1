//! What the API acknowledged stays, whatever ends: each program in turn, the machine by reboot, the machine by its plug.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Result, ensure};
use geminios_qemu_tests::{Writer, verify};

use crate::Node;
use crate::services::{Identity, keep, kept};

/// Kills what a unit runs and waits until the API serves again.
fn kill(node: &mut Node, unit: &str) -> Result<()> {
    let before = node.device.succeed(&format!("systemctl show -P MainPID {unit}"))?;
    node.device.succeed(&format!("systemctl kill --signal=KILL {unit}"))?;
    node.device.succeed(&format!(
        "for i in $(seq 300); do pid=$(systemctl show -P MainPID {unit}); \
         [ $pid != 0 ] && [ $pid != {before} ] && break; sleep 1; done; [ $pid != {before} ]"
    ))?;
    node.cluster.until(&["get", "--raw=/readyz"]).map(drop)
}

pub fn of_killed_programs(node: &mut Node) -> Result<()> {
    let writer = Writer::start(Arc::clone(&node.cluster), "kill");
    let mut wanted = 0;
    for unit in ["postgresql", "kine", "kube-apiserver", "kine", "postgresql"] {
        wanted = writer.count() + 5;
        writer.until(wanted)?;
        kill(node, unit)?;
    }
    writer.until(wanted + 5)?;
    let acknowledged = writer.finish();
    let highest = verify(&node.cluster, &acknowledged)?;
    println!("  {} acknowledged writes are there, resourceVersion {highest}", acknowledged.len());
    Ok(())
}

pub fn of_power_cuts(mut node: Node, cuts: u32) -> Result<Node> {
    let identity = Identity::of(&mut node.device)?;
    let (mut all, mut highest) = (BTreeMap::new(), 0);
    for cut in 1..=cuts {
        keep(&mut node.device, cut)?;
        let writer = Writer::start(Arc::clone(&node.cluster), &format!("cut{cut}"));
        writer.until(5)?;
        node = node.power_cycle(&[])?;
        all.extend(writer.finish());
        let present = verify(&node.cluster, &all)?;
        ensure!(present >= highest, "resourceVersion went back from {highest} to {present}");
        highest = present;
        kept(&mut node.device, cut)?;
        ensure!(Identity::of(&mut node.device)? == identity, "the identity survives a pulled plug");
        println!("  plug pulled {cut} times: {} acknowledged writes, resourceVersion {highest}", all.len());
    }
    Ok(node)
}

pub fn of_a_reboot(mut node: Node) -> Result<()> {
    let identity = Identity::of(&mut node.device)?;
    let writer = Writer::start(Arc::clone(&node.cluster), "reboot");
    writer.until(5)?;
    let acknowledged = writer.finish();
    let before = verify(&node.cluster, &acknowledged)?;
    node.device.reboot()?;
    node.ready()?;
    node.all_units_run()?;
    let after = verify(&node.cluster, &acknowledged)?;
    ensure!(after >= before, "resourceVersion went back from {before} to {after}");
    ensure!(Identity::of(&mut node.device)? == identity, "the identity survives a reboot");
    Ok(())
}

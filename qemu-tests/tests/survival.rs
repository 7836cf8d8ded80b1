//! What the API acknowledged stays, whatever ends: each program in turn, the machine by reboot, the machine by its plug.
//!
//! GEMINIOS_POWER_CUTS sets how often the plug is pulled; each costs a boot.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Result, ensure};
use geminios_qemu_tests::{Cluster, Device, Writer, product, state, verify};

/// Kills what a unit runs and waits until the API serves again.
fn kill(device: &mut Device, cluster: &Cluster, unit: &str) -> Result<()> {
    let before = device.succeed(&format!("systemctl show -P MainPID {unit}"))?;
    device.succeed(&format!("systemctl kill --signal=KILL {unit}"))?;
    device.succeed(&format!(
        "for i in $(seq 300); do pid=$(systemctl show -P MainPID {unit}); \
         [ $pid != 0 ] && [ $pid != {before} ] && exit 0; sleep 1; done; exit 1"
    ))?;
    cluster.until(&["get", "--raw=/readyz"]).map(drop)
}

#[test]
fn acknowledged_writes_survive_killed_programs_and_power_cuts() -> Result<()> {
    let cuts: usize =
        std::env::var("GEMINIOS_POWER_CUTS").ok().and_then(|text| text.parse().ok()).unwrap_or(2);
    let product = product();
    let disk = state(product)?;
    let mut device = Device::power_on(product, disk.path())?;
    device.shell()?;
    let mut cluster = Arc::new(Cluster::of(product, disk.path())?);
    let mut all = BTreeMap::new();
    let mut highest = 0;

    let writer = Writer::start(Arc::clone(&cluster), "kill");
    let mut wanted = 0;
    for unit in ["postgresql", "kine", "kube-apiserver", "kine", "postgresql", "kube-apiserver"] {
        wanted = writer.count() + 5;
        writer.until(wanted)?;
        kill(&mut device, &cluster, unit)?;
    }
    writer.until(wanted + 5)?;
    all.extend(writer.finish());
    highest = verify(&cluster, &all)?.max(highest);
    println!("programs killed: {} acknowledged writes are there, resourceVersion {highest}", all.len());

    for cut in 1..=cuts {
        let writer = Writer::start(Arc::clone(&cluster), &format!("cut{cut}"));
        writer.until(5)?;
        device.power_cut();
        all.extend(writer.finish());
        device = Device::power_on(product, disk.path())?;
        device.shell()?;
        cluster = Arc::new(Cluster::of(product, disk.path())?);
        let present = verify(&cluster, &all)?;
        ensure!(present >= highest, "resourceVersion went back from {highest} to {present}");
        highest = present;
        println!(
            "plug pulled {cut} times: {} acknowledged writes are there, resourceVersion {highest}",
            all.len()
        );
    }

    device.reboot()?;
    let present = verify(&cluster, &all)?;
    ensure!(present >= highest, "resourceVersion went back from {highest} to {present}");
    Ok(())
}

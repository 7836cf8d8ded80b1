//! One device from its first boot on, as its owner has it: what serves, what runs, who may ask, and what outlives what.
//!
//! A boot takes minutes under emulation, so one machine goes through all of it. What fails does not keep the rest from
//! being tried.
//!
//! GEMINIOS_POWER_CUTS, if set, has programs killed and the plug pulled so often while somebody writes. On a busy host
//! an emulated API server that was killed starves: it needs more processor time to come back than its own timeouts allow.

mod benchmark;
mod monitoring;
mod services;
mod survival;
mod workload;

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, ensure};
use geminios_qemu_tests::{Cluster, Device, Product, product, state};

/// A running device and its cluster.
struct Node {
    product: &'static Product,
    disk: tempfile::TempDir,
    device: Device,
    cluster: Arc<Cluster>,
}

impl Node {
    fn power_on(product: &'static Product, disk: tempfile::TempDir) -> Result<Self> {
        let mut device = Device::power_on(product, disk.path())?;
        device.shell()?;
        let cluster = Arc::new(Cluster::of(product, disk.path())?);
        cluster.until(&["wait", "node", "--all", "--for=condition=Ready", "--timeout=60s"])?;
        Ok(Node { product, disk, device, cluster })
    }

    /// Pulls the plug and puts it back.
    fn power_cycle(self) -> Result<Self> {
        self.device.power_cut();
        Node::power_on(self.product, self.disk)
    }

    fn all_units_run(&mut self) -> Result<()> {
        let verdict = self.device.settled()?;
        let failed = self.device.succeed("systemctl --failed --no-legend --plain")?;
        ensure!(verdict == "running" && failed.is_empty(), "{verdict}\n{failed}");
        Ok(())
    }
}

type Phase = fn(&mut Node) -> Result<()>;

#[test]
fn a_node_serves_is_hardened_and_keeps_what_it_acknowledged() -> Result<()> {
    let product = product();
    let mut node = Node::power_on(product, state(product)?)?;
    let machine = node.device.succeed("cat /etc/machine-id")?;
    let phases: [(&str, Phase); 4] = [
        ("all units run, PostgreSQL and containerd answer", services::answer),
        ("CIS Kubernetes Benchmark", benchmark::kept),
        ("a workload from the image, with no network outside", workload::runs),
        ("one endpoint for metrics", monitoring::one_endpoint),
    ];
    let mut failed = Vec::new();
    let mut report = |name: &str, begun: Instant, done: Result<()>| {
        let seconds = begun.elapsed().as_secs();
        match done {
            Ok(()) => println!("{name}: ok ({seconds} s)"),
            Err(error) => {
                println!("{name}: FAILED ({seconds} s)\n{error:?}");
                failed.push(name.to_owned());
            }
        }
    };
    for (name, phase) in phases {
        let begun = Instant::now();
        report(name, begun, phase(&mut node));
    }
    if let Some(cuts) = std::env::var("GEMINIOS_POWER_CUTS").ok().and_then(|text| text.parse().ok()) {
        let begun = Instant::now();
        report("killed programs lose nothing", begun, survival::of_killed_programs(&mut node));
        let begun = Instant::now();
        report("reboots and pulled plugs lose nothing", begun, survival::of_the_machine(node, cuts));
    } else {
        // Two emulated machines at once would take each other's time.
        drop(node);
    }
    let begun = Instant::now();
    report("a second device has another identity", begun, services::is_of_another(product, &machine));
    ensure!(failed.is_empty(), "failed: {}", failed.join("; "));
    Ok(())
}

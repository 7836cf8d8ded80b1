//! One device from its first boot on, as its owner has it: what serves, what runs, who may ask, and what outlives what.
//!
//! A boot takes minutes under emulation, so one machine goes through all of it. What fails does not keep the rest from
//! being tried.
//!
//! GEMINIOS_NODE_PHASES, words of the names of some phases with commas between, leaves the others out.
//!
//! What takes long is left to `--ignored`: programs killed in turn, the plug pulled twenty times, an optional overlay. On
//! a busy host an emulated API server that was killed starves, as it needs more processor time to come back than its own
//! timeouts allow.

mod benchmark;
mod conformance;
mod faults;
mod loadbalancer;
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
    fn power_on(product: &'static Product, disk: tempfile::TempDir, options: &[&str]) -> Result<Self> {
        let mut device = Device::power_on_with(product, disk.path(), options)?;
        device.shell()?;
        let cluster = Arc::new(Cluster::of(product, disk.path())?);
        cluster.until(&["get", "--raw=/readyz"])?;
        Ok(Node { product, disk, device, cluster })
    }

    fn ready(&self) -> Result<()> {
        let wait = ["wait", "node", "--all", "--for=condition=Ready", "--timeout=60s"];
        self.cluster.until(&wait).map(drop)
    }

    /// Pulls the plug and puts it back, with options for `geminios run`.
    fn power_cycle(self, options: &[&str]) -> Result<Self> {
        self.device.power_cut();
        Node::power_on(self.product, self.disk, options)
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
    let mut node = Node::power_on(product, state(product)?, &[])?;
    node.ready()?;
    let machine = node.device.succeed("cat /etc/machine-id")?;
    let phases: [(&str, Phase); 6] = [
        ("all units run, PostgreSQL and containerd answer", services::answer),
        ("CIS Kubernetes Benchmark", benchmark::kept),
        ("a workload from the image, with no network outside", workload::runs),
        ("Kubernetes' own specs", conformance::kept),
        ("one endpoint for metrics", monitoring::one_endpoint),
        ("a taken port and a full disk pass by", faults::pass_by),
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
    let wanted = std::env::var("GEMINIOS_NODE_PHASES").unwrap_or_default();
    let chosen = |name: &str| wanted.split(',').any(|words| name.contains(words));
    for (name, phase) in phases.into_iter().filter(|(name, _)| chosen(name)) {
        let begun = Instant::now();
        report(name, begun, phase(&mut node));
    }
    let name = "a pulled plug and a reboot lose nothing";
    if chosen(name) {
        let begun = Instant::now();
        let survived = survival::of_power_cuts(node, 1).and_then(survival::of_a_reboot);
        report(name, begun, survived);
    } else {
        // Two emulated machines at once would take each other's time.
        drop(node);
    }
    let name = "a second device has another identity";
    if chosen(name) {
        let begun = Instant::now();
        report(name, begun, services::is_of_another(product, &machine));
    }
    ensure!(failed.is_empty(), "failed: {}", failed.join("; "));
    Ok(())
}

#[test]
#[ignore = "ten minutes under emulation, alone on the machine"]
fn acknowledged_writes_outlive_killed_programs() -> Result<()> {
    survival::of_killed_programs(&mut Node::power_on(product(), state(product())?, &[])?)
}

#[test]
#[ignore = "an hour under emulation, alone on the machine"]
fn acknowledged_writes_outlive_twenty_power_cuts() -> Result<()> {
    let node = Node::power_on(product(), state(product())?, &[])?;
    let mut node = survival::of_power_cuts(node, 20)?;
    node.ready()?;
    node.all_units_run()
}

#[test]
#[ignore = "an image and a boot for an overlay that the profile does not have"]
fn metallb_gives_services_addresses_of_the_lan() -> Result<()> {
    loadbalancer::gives_services_addresses_of_the_lan(product())
}

#[test]
#[ignore = "two boots for a rare fault"]
fn a_lost_clock_and_a_damaged_certificate_pass_by() -> Result<()> {
    let node = Node::power_on(product(), state(product())?, &[])?;
    let mut node = faults::of_clock_and_certificate(node)?;
    node.ready()?;
    node.all_units_run()
}

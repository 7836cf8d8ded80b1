//! Two machines from the real image on one cable, with a watchdog each and a witness on the host, from configuration written by hand:
//! one loses power, writes go on; it comes back, and follows.

#![allow(clippy::unwrap_used)]

mod site;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use geminios_qemu_tests::{Device, Product, product};
use serde_json::Value;

use site::{ADDRESS, CLIENTS, Side, Site};

/// A guard against hangs, no measure.
const PATIENCE: Duration = Duration::from_secs(1500);

const CONTROL_PLANE: &str =
    "kine kube-apiserver kube-controller-manager kube-scheduler kubelet flanneld kubernetes-addons";

struct Machine {
    side: Side,
    device: Device,
}

impl Machine {
    fn power_on(product: &Product, site: &Site, side: Side) -> Result<Self> {
        let options = site.options(side);
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let mut device = Device::power_on_with(product, site.disk(side), &options)?;
        device.shell()?;
        Ok(Machine { side, device })
    }

    /// The agent's word for what this node is.
    fn role(&mut self) -> Result<String> {
        let output = self.device.command("geminios-failover status 2>/dev/null")?;
        let status: Value = serde_json::from_str(output.text.trim()).unwrap_or_default();
        Ok(status["role"].as_str().unwrap_or("none").to_owned())
    }

    /// Asks the management port of a node from this one; gives the answer and its status.
    fn manage(&mut self, of: Side, who: &str, what: &str, options: &str) -> Result<String> {
        self.device.succeed(&format!(
            "curl --silent --max-time 60 --cacert {CLIENTS}/ca.crt --cert {CLIENTS}/{who}.crt --key {CLIENTS}/{who}.key {options} \
             --write-out ' %{{http_code}}' https://{}:7443/v1/{what}",
            of.address()
        ))
    }

    fn epoch(&mut self) -> Result<u64> {
        let status: Value = serde_json::from_str(self.device.succeed("geminios-failover status")?.trim())?;
        status["stored"]["record"]["epoch"].as_u64().context("no epoch")
    }

    fn until_role(&mut self, wanted: &[&str]) -> Result<String> {
        let begun = Instant::now();
        loop {
            let role = self.role()?;
            if wanted.contains(&role.as_str()) {
                println!("{:?} is {role} after {} s", self.side, begun.elapsed().as_secs());
                return Ok(role);
            }
            if begun.elapsed() > PATIENCE {
                let story = self.device.command(
                    "geminios-failover story; journalctl -b -u geminios-failover -n 60 --no-pager",
                )?;
                bail!("{:?} is {role}, not {wanted:?}\n{}", self.side, story.text);
            }
            std::thread::sleep(Duration::from_secs(3));
        }
    }

    /// By the site's address, whichever node has it.
    fn kubectl(&mut self, arguments: &str) -> Result<String> {
        let command = format!(
            "kubectl --kubeconfig /etc/kubernetes/admin.conf --server https://{ADDRESS}:6443 --tls-server-name kubernetes {arguments}"
        );
        self.device.succeed(&format!("timeout 900 sh -c 'until {command}; do sleep 2; done' 2>/dev/null"))
    }
}

#[test]
#[ignore = "two machines under emulation, alone on the host"]
fn one_of_two_loses_power_writes_go_on_and_it_returns() -> Result<()> {
    let product = product().with_overlays(&["failover"])?;
    let site = Site::new(&product)?;
    let mut a = Machine::power_on(&product, &site, Side::A)?;
    let mut b = Machine::power_on(&product, &site, Side::B)?;
    // Two first starts of a control plane at once are more than an emulating host can do within Kubernetes' own times.
    b.device.succeed(&format!("systemctl mask --runtime --now {CONTROL_PLANE}"))?;
    a.until_role(&["leader"])?;
    b.until_role(&["standby"])?;
    a.kubectl("create configmap before --from-literal=by=pair")?;
    b.device.succeed(&format!(
        "systemctl unmask --runtime {CONTROL_PLANE} && systemctl start --no-block {CONTROL_PLANE}"
    ))?;
    let read = b.kubectl("get configmap before --output jsonpath={.data.by}")?;
    ensure!(read.trim().ends_with("pair"), "{read}");

    a.device.power_cut();
    let begun = Instant::now();
    b.until_role(&["leader-alone"])?;
    b.kubectl("create configmap during --from-literal=by=b")?;
    println!(
        "the first write was acknowledged {:.1} s after the plug was pulled, under emulation",
        begun.elapsed().as_secs_f32()
    );
    let read = b.kubectl("get configmap before --output jsonpath={.data.by}")?;
    ensure!(read.trim().ends_with("pair"), "{read}");
    println!("{}", b.device.succeed("geminios-failover story")?);

    let mut a = Machine::power_on(&product, &site, Side::A)?;
    a.until_role(&["standby"])?;
    b.until_role(&["leader"])?;
    let before = b.epoch()?;
    for jump in ["2 hours ago", "4 hours"] {
        b.device.succeed(&format!("date --set '{jump}'"))?;
        b.kubectl(&format!("create configmap jump-{} --from-literal=by=b", jump.len()))?;
    }
    ensure!(b.epoch()? == before && b.role()? == "leader", "the leader's clock jumped, and the role went");
    let read = a.kubectl("get configmap during --output jsonpath={.data.by}")?;
    ensure!(read.trim().ends_with('b'), "{read}");

    b.device.succeed("date --set '2 hours ago'")?;
    let refused = a.manage(Side::B, "viewer", "hand-over", "--request POST")?;
    ensure!(refused.contains("403"), "{refused}");
    let begun = a.manage(Side::B, "operator", "hand-over", "--request POST")?;
    ensure!(begun.contains("202"), "{begun}");
    a.until_role(&["leader", "leader-alone"])?;
    a.kubectl("create configmap after --from-literal=by=a")?;
    let status = b.manage(Side::A, "viewer", "status", "")?;
    ensure!(status.ends_with(" 200") && status.contains("\"leader"), "{status}");
    // Each change of the leader is told of both nodes, by whoever leads then.
    let events = a.kubectl("get events --all-namespaces")?;
    println!("{events}");
    Ok(())
}

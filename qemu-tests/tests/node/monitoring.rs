//! What a Prometheus gets from a device, by the certificate that docs/monitoring.md tells of, and what strangers get.

use std::fs;

use anyhow::{Context, Result, bail, ensure};
use geminios_qemu_tests::Device;

use crate::Node;

/// The page's commands, run on the device itself.
const CERTIFICATE: &str = "umask 077; mkdir -p /run/monitor; cd /run/monitor; \
    field() { sed -n \"s/^ *$1: //p\" /etc/kubernetes/monitor.conf | base64 -d; }; \
    field certificate-authority-data >ca.crt; field client-certificate-data >monitor.crt; field client-key-data >monitor.key";

/// It has every metric that alerts and the dashboard ask for.
pub fn one_endpoint(node: &mut Node) -> Result<()> {
    let device = &mut node.device;
    device.succeed(CERTIFICATE)?;

    let list = fs::read_to_string(node.product.project.join("overlays/monitoring/tests/metrics.txt"))?;
    let wanted: Vec<Vec<&str>> =
        list.lines().filter(|line| !line.starts_with('#')).map(|line| line.split(' ').collect()).collect();
    let mut missing = Vec::new();
    for words in &wanted {
        let [path, metric] = words[..] else { continue }; // `later` and `pair`: not on a new device, not on a single one
        let page = format!("/run/monitor/{path}.page");
        let get = format!("[ -s {page} ] || {}", scrape(path, &page));
        device.succeed(&get).with_context(|| format!("/metrics/{path}"))?;
        let count = device.succeed(&format!("grep -c '^{metric}[ {{]' {page} || true"))?;
        if count.trim() == "0" {
            missing.push(format!("{path} {metric}"));
        }
    }
    ensure!(missing.is_empty(), "not on the device: {missing:#?}");
    device.succeed(&scrape("coredns", "/dev/null"))?;
    let up = device.succeed("grep '^pg_up ' /run/monitor/postgresql.page")?;
    ensure!(up.trim() == "pg_up 1", "{up}");
    strangers_get_nothing(device)
}

fn scrape(path: &str, to: &str) -> String {
    format!(
        "curl -fsS --max-time 60 --retry 5 --retry-all-errors --cacert /run/monitor/ca.crt --cert /run/monitor/monitor.crt \
         --key /run/monitor/monitor.key -o {to} https://localhost:9443/metrics/{path}"
    )
}

fn strangers_get_nothing(device: &mut Device) -> Result<()> {
    let curl = "curl -s -o /dev/null -w '%{http_code}' --cacert /run/monitor/ca.crt https://localhost:9443";
    let apart = "--cert /etc/kubernetes/pki/apiserver-kubelet-client.crt --key /etc/kubernetes/pki/apiserver-kubelet-client.key";
    for (path, certificate, status) in [
        ("/healthz", "", "200"),
        ("/metrics/node", "", "401"),
        ("/metrics/node", apart, "403"),
        ("/", "", "401"),
    ] {
        let found = device.succeed(&format!("{curl}{path} {certificate}"))?;
        if found.trim() != status {
            bail!("{path} {certificate}: {found} instead of {status}");
        }
    }
    let listens = device.succeed("cat /proc/net/tcp /proc/net/tcp6")?;
    // 9100 and 9187, in hexadecimal, on loopback alone; 0A is LISTEN.
    for port in [":238C", ":23E3"] {
        let open: Vec<&str> =
            listens.lines().filter(|line| line.contains(port) && line.contains(" 0A ")).collect();
        ensure!(open.len() == 1 && open[0].contains(&format!("0100007F{port}")), "{open:#?}");
    }
    Ok(())
}

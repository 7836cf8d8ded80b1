//! A device of the same lock with overlay metallb: addresses of its LAN for services.
//!
//! QEMU's network is the LAN. It forwards a port of the host to an address that no DHCP gave out, and asks by ARP who
//! has it: only a speaker that announces answers.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use geminios_qemu_tests::{Product, state};

use crate::Node;

const ADDRESS: &str = "10.0.2.200";

const POOL: &str = "
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: lan, namespace: metallb-system}
spec: {addresses: [10.0.2.200/32]}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: lan, namespace: metallb-system}
spec: {ipAddressPools: [lan]}
";

const WORKLOAD: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: demo}
spec:
  selector: {matchLabels: {app: demo}}
  template:
    metadata: {labels: {app: demo}}
    spec:
      containers: [{name: demo, image: 'localhost/geminios/demo:1'}]
---
apiVersion: v1
kind: Service
metadata: {name: demo}
spec:
  type: LoadBalancer
  selector: {app: demo}
  ports: [{port: 80, targetPort: 8080}]
";

pub fn gives_services_addresses_of_the_lan(product: &Product) -> Result<()> {
    let product: &'static Product = Box::leak(Box::new(product.with_overlays(&["metallb"])?));
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let forward = format!("{port}:{ADDRESS}:80");
    let mut node = Node::power_on(product, state(product)?, &["--forward", &forward])?;
    node.ready()?;
    node.all_units_run()?;
    gives_services_addresses(&mut node, port)
}

fn gives_services_addresses(node: &mut Node, port: u16) -> Result<()> {
    let cluster = &node.cluster;
    let established = "--for=condition=Established";
    cluster.until(&[
        "wait",
        established,
        "crd/ipaddresspools.metallb.io",
        "crd/l2advertisements.metallb.io",
    ])?;
    node.device.succeed("systemctl stop metallb-speaker")?;
    cluster.apply(POOL)?;
    cluster.apply(WORKLOAD)?;
    cluster.wait("service/demo", &format!("jsonpath={{.status.loadBalancer.ingress[0].ip}}={ADDRESS}"))?;
    cluster.wait("deployment/demo", "condition=Available")?;
    let from_node =
        node.device.succeed(&format!("curl -fsS --retry 5 --retry-connrefused http://{ADDRESS}/"))?;
    ensure!(from_node.contains("demo-"), "the node reaches it: {from_node}");
    let addresses = node.device.succeed("ip -4 -brief address")?;
    ensure!(
        !addresses.contains(ADDRESS),
        "no interface has it, so the kernel does not answer ARP: {addresses}"
    );
    if let Ok(text) = get(port) {
        bail!("nobody announces {ADDRESS}, but it answered: {text}");
    }

    node.device.succeed("systemctl start metallb-speaker")?;
    let begun = Instant::now();
    let served = loop {
        match get(port) {
            Ok(text) => break text,
            Err(error) if begun.elapsed() > Duration::from_secs(300) => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_secs(2)),
        }
    };
    ensure!(served.contains("200 OK") && served.contains("demo-"), "the LAN reaches it: {served}");
    let announcing = ["get", "-n=metallb-system", "servicel2statuses", "-o=jsonpath={.items[*].status.node}"];
    let announced_by = cluster.kubectl(&announcing)?;
    let name = cluster.kubectl(&["get", "nodes", "-o=jsonpath={.items[*].metadata.name}"])?;
    ensure!(announced_by == name, "{announced_by} is not {name}");
    let journal =
        node.device.succeed("journalctl --quiet --unit=metallb-controller --unit=metallb-speaker")?;
    ensure!(!journal.contains("forbidden"), "a right is missing:\n{journal}");
    Ok(())
}

/// What the address says to somebody on the LAN.
fn get(port: u16) -> Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(b"GET / HTTP/1.0\r\nHost: demo\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    ensure!(!text.is_empty(), "closed without a word");
    Ok(text)
}

//! A node from the host's side, with no network but the forwarded ports: Ready, and running what came with the image.

use anyhow::Result;
use geminios_qemu_tests::{Cluster, Device, product, state};

const WORKLOAD: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: demo}
spec:
  replicas: 2
  selector: {matchLabels: {app: demo}}
  template:
    metadata: {labels: {app: demo}}
    spec:
      containers:
        - name: demo
          image: localhost/geminios/demo:1
          ports: [{containerPort: 8080}]
          readinessProbe: {httpGet: {path: /healthz, port: 8080}}
---
apiVersion: v1
kind: Service
metadata: {name: demo}
spec:
  selector: {app: demo}
  ports: [{port: 80, targetPort: 8080}]
";

#[test]
fn a_node_is_ready_and_runs_a_workload_from_the_image() -> Result<()> {
    let product = product();
    let disk = state(product)?;
    let mut device = Device::power_on(product, disk.path())?;
    device.shell()?;
    let cluster = Cluster::of(product, disk.path())?;
    cluster.until(&["wait", "node", "--all", "--for=condition=Ready", "--timeout=60s"])?;
    cluster.apply(WORKLOAD)?;
    cluster.wait("deployment/demo", "condition=Available")?;

    let exec = |words: &[&str]| {
        let mut arguments = vec!["exec", "deployment/demo", "--", "/usr/bin/demo"];
        arguments.extend(words);
        cluster.kubectl(&arguments)
    };
    assert!(exec(&["resolve", "demo.default.svc.cluster.local"])?.starts_with("10.43."), "its name resolves");
    assert!(exec(&["resolve", "demo"])?.starts_with("10.43."), "its short name resolves");
    let served = exec(&["get", "http://demo/"])?;
    assert!(served.contains("demo-"), "the Service leads to a pod, which says its name: {served}");
    let log = cluster.kubectl(&["logs", "--selector=app=demo", "--tail=-1"])?;
    assert!(log.contains("GET /healthz") && log.contains("GET / "), "{log}");

    let address = cluster.kubectl(&["get", "service", "demo", "-o=jsonpath={.spec.clusterIP}"])?;
    let from_node = device.succeed(&format!("curl -fsS http://{address}/"))?;
    assert!(from_node.contains("demo-"), "the node reaches the Service too: {from_node}");

    assert_eq!(device.settled()?, "running", "{}", device.succeed("systemctl --failed --no-legend")?);
    Ok(())
}

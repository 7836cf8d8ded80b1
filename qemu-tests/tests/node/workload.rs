//! A workload, from the host's side, with no network but the forwarded ports: its image came with the disk.

use anyhow::{Result, ensure};

use crate::Node;

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

pub fn runs(node: &mut Node) -> Result<()> {
    let cluster = &node.cluster;
    cluster.apply(WORKLOAD)?;
    cluster.wait("deployment/demo", "condition=Available")?;

    let exec = |words: &[&str]| {
        let mut arguments = vec!["exec", "deployment/demo", "--", "/usr/bin/demo"];
        arguments.extend(words);
        cluster.kubectl(&arguments)
    };
    ensure!(exec(&["resolve", "demo.default.svc.cluster.local"])?.starts_with("10.43."), "its name resolves");
    ensure!(exec(&["resolve", "demo"])?.starts_with("10.43."), "its short name resolves");
    let served = exec(&["get", "http://demo/"])?;
    ensure!(served.contains("demo-"), "the Service leads to a pod, which says its name: {served}");
    let log = cluster.kubectl(&["logs", "--selector=app=demo", "--tail=-1"])?;
    ensure!(log.contains("GET /healthz") && log.contains("GET / "), "{log}");

    let address = cluster.kubectl(&["get", "service", "demo", "-o=jsonpath={.spec.clusterIP}"])?;
    let from_node = node.device.succeed(&format!("curl -fsS http://{address}/"))?;
    ensure!(from_node.contains("demo-"), "the node reaches the Service too: {from_node}");
    cluster.kubectl(&["delete", "deployment/demo", "service/demo"])?;
    Ok(())
}

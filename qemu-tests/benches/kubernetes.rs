//! What a node of Kubernetes takes: time from power to Ready, at its first boot and at the next, and memory and processor
//! time of the control plane, idle and with the objects of 200 pods. `cargo bench -p geminios-qemu-tests --bench kubernetes -- ROUNDS`

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use geminios_qemu_tests::{Cluster, Device, product, state};

const CONTROL_PLANE: &str = "postgresql kine kube-apiserver kube-controller-manager kube-scheduler";

fn main() -> Result<()> {
    let rounds = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(1);
    let product = product();
    for round in 1..=rounds {
        let disk = state(product)?;
        for boot in ["first boot", "next boot, after the plug was pulled"] {
            let begun = Instant::now();
            let mut device = Device::power_on(product, disk.path())?;
            let cluster = Cluster::of(product, disk.path())?;
            let handed = begun.elapsed();
            cluster.until(&["wait", "node", "--all", "--for=condition=Ready", "--timeout=60s"])?;
            let ready = begun.elapsed();
            device.shell()?;
            let kernel: f64 = device.succeed("cut -d' ' -f1 /proc/uptime")?.parse()?;
            let firmware = begun.elapsed().as_secs_f64() - kernel;
            println!(
                "round {round}, {boot}: kubectl works after {:.0} s, Ready after {:.0} s; of it firmware and boot loader {firmware:.0} s",
                handed.as_secs_f64(),
                ready.as_secs_f64(),
            );
            if boot == "first boot" {
                device.settled()?;
                usage(&mut device, "idle")?;
                objects_of_200_pods(&cluster)?;
                usage(&mut device, "with the objects of 200 pods")?;
                println!("  {}", device.succeed("free -m | sed -n 2p")?);
                println!(
                    "  restarts of units: {}; out of memory: {}",
                    device.succeed(RESTARTS)?,
                    device.succeed(OOM)?
                );
            }
            device.succeed("sync")?;
            device.power_cut();
        }
    }
    Ok(())
}

const RESTARTS: &str =
    "systemctl show --property=NRestarts --value '*.service' | awk '{ n += $1 } END { print n + 0 }'";
const OOM: &str = "{ journalctl --boot --dmesg --grep='Out of memory|oom-kill' --quiet || true; } | wc -l";

/// 200 pods that no node may run, of 20 Deployments, each with a Service, a ConfigMap and a Secret.
fn objects_of_200_pods(cluster: &Cluster) -> Result<()> {
    let mut objects = String::new();
    for number in 0..20 {
        let text = "x".repeat(2000);
        objects += &format!(
            "---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: load-{number}}}
spec:
  replicas: 10
  selector: {{matchLabels: {{app: load-{number}}}}}
  template:
    metadata: {{labels: {{app: load-{number}}}}}
    spec:
      nodeSelector: {{there: is-none}}
      containers: [{{name: demo, image: \"localhost/geminios/demo:1\", envFrom: [{{configMapRef: {{name: load-{number}}}}}]}}]
---
apiVersion: v1
kind: Service
metadata: {{name: load-{number}}}
spec: {{selector: {{app: load-{number}}}, ports: [{{port: 80}}]}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: load-{number}}}
data: {{text: {text}}}
---
apiVersion: v1
kind: Secret
metadata: {{name: load-{number}}}
stringData: {{text: {text}}}
"
        );
    }
    cluster.apply(&objects)?;
    for _ in 0..600 {
        let pods = cluster.kubectl(&["get", "pods", "-o=name"])?;
        if pods.lines().count() >= 200 {
            return Ok(());
        }
        std::thread::sleep(Duration::from_secs(2));
    }
    bail!("the pods were not created")
}

/// Proportional set size and processor time of the control plane's units, over two minutes.
fn usage(device: &mut Device, when: &str) -> Result<()> {
    device.succeed("sleep 60")?;
    let usage = format!(
        "for unit in {CONTROL_PLANE}; do group=/sys/fs/cgroup/system.slice/$unit.service; \
         pss=$(for pid in $(cat $group/cgroup.procs); do grep ^Pss: /proc/$pid/smaps_rollup; done | awk '{{ n += $2 }} END {{ print n }}'); \
         echo $unit $pss $(awk '/^usage_usec/ {{ print $2 }}' $group/cpu.stat); done"
    );
    let (before, _, after) = (device.succeed(&usage)?, device.succeed("sleep 120")?, device.succeed(&usage)?);
    let mut total = (0.0, 0.0);
    for (before, after) in before.lines().zip(after.lines()) {
        let number = |line: &str, at: usize| -> Result<f64> {
            Ok(line.split(' ').nth(at).context("a column is missing")?.parse::<f64>()?)
        };
        let megabytes = number(after, 1)? * 1024.0 / 1e6;
        let share = (number(after, 2)? - number(before, 2)?) / 120e6 * 100.0;
        println!(
            "  {}: PSS {megabytes:.0} MB, {share:.1} % of an emulated core",
            after.split(' ').next().unwrap_or("")
        );
        total = (total.0 + megabytes, total.1 + share);
    }
    println!("  control plane, {when}: PSS {:.0} MB, {:.1} % of an emulated core", total.0, total.1);
    Ok(())
}

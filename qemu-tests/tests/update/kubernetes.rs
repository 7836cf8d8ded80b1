//! With all of Kubernetes: what the API acknowledged is there after an update, and after one that failed.

use anyhow::{Result, ensure};
use geminios_qemu_tests::{Fleet, product};

use crate::releases::NO_API;
use crate::story::Updated;

const KUBECTL: &str = "kubectl --kubeconfig /etc/kubernetes/admin.conf";

#[test]
#[ignore = "an image with Kubernetes in three versions, and five of its boots"]
fn objects_outlive_an_update_and_one_that_breaks_kubernetes() -> Result<()> {
    let fleet = Fleet::of(product(), "x86-edge")?;
    let first = fleet.build("1.0.0", &[])?;
    let mut device = Updated::power_on(first, &fleet)?;
    device.blessed("1.0.0")?;
    device.succeeds(&format!("{KUBECTL} create configmap kept --from-literal=of=1.0.0"))?;

    fleet.publish("1.1.0", &[])?;
    device.installs("1.1.0", "")?;
    device.reboots()?;
    device.blessed("1.1.0")?;
    kept(&mut device)?;

    fleet.publish("1.2.0", &[NO_API])?;
    device.installs("1.2.0", "")?;
    device.falls_back_to("1.1.0", "1.2.0", "apiserver")?;
    kept(&mut device)
}

fn kept(device: &mut Updated) -> Result<()> {
    // After a fallback the older version was blessed before: it need not serve yet.
    device
        .succeeds(&format!("timeout 600 sh -c 'until {KUBECTL} get --raw /readyz; do sleep 5; done' 2>&1"))?;
    let value = device.succeeds(&format!("{KUBECTL} get configmap kept --output jsonpath={{.data.of}}"))?;
    ensure!(value == "1.0.0", "{value}");
    Ok(())
}

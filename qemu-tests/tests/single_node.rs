//! One device from its first boot on: services up, data and identity kept, plug pulled.

use anyhow::Result;
use geminios_qemu_tests::{Device, product, state};

const QUERY: &str = "runuser -u postgres -- psql -Atqc";

#[test]
fn a_device_serves_and_keeps_its_data_and_identity() -> Result<()> {
    let product = product();
    let disk = state(product)?;
    let mut device = Device::power_on(product, disk.path())?;
    device.shell()?;
    assert_eq!(device.settled()?, "running", "{}", device.succeed("systemctl --failed --no-legend")?);
    assert_eq!(device.succeed("systemctl --failed --no-legend --plain")?, "");
    assert_eq!(device.succeed(&format!("{QUERY} 'select 6*7'"))?, "42");
    let containerd = device.succeed("ctr version")?;
    assert!(containerd.contains("Server:"), "{containerd}");
    assert!(device.succeed("findmnt -no OPTIONS,FSTYPE /")?.starts_with("ro"), "the root is read-only");
    assert_eq!(device.succeed("findmnt -no FSTYPE /var")?, "ext4");

    let identity = device.succeed("cat /etc/machine-id")?;
    assert_eq!(identity.len(), 32, "{identity}");
    device.succeed(&format!("{QUERY} 'create table kept as select 7 as n'"))?;
    let host_key = device.succeed("ssh-keyscan -t ed25519 127.0.0.1 2>/dev/null")?;
    assert!(host_key.contains("ssh-ed25519"), "{host_key}");

    device.reboot()?;
    assert_eq!(device.settled()?, "running", "{}", device.succeed("systemctl --failed --no-legend")?);
    assert_eq!(device.succeed("cat /etc/machine-id")?, identity, "the identity survives a reboot");
    assert_eq!(device.succeed(&format!("{QUERY} 'select n from kept'"))?, "7", "the data survive a reboot");
    assert_eq!(device.succeed("ssh-keyscan -t ed25519 127.0.0.1 2>/dev/null")?, host_key);

    device.succeed(&format!("{QUERY} 'update kept set n = 8'"))?;
    device.power_cut();
    let mut device = Device::power_on(product, disk.path())?;
    device.shell()?;
    assert_eq!(device.settled()?, "running", "{}", device.succeed("systemctl --failed --no-legend")?);
    assert_eq!(device.succeed("cat /etc/machine-id")?, identity, "the identity survives a power cut");
    assert_eq!(
        device.succeed(&format!("{QUERY} 'select n from kept'"))?,
        "8",
        "a committed write survives a power cut"
    );
    Ok(())
}

//! What runs below Kubernetes, and who the device is.

use anyhow::{Result, ensure};
use geminios_qemu_tests::{Device, Product, state};

use crate::Node;

const QUERY: &str = "runuser -u postgres -- psql -Atqc";

pub fn answer(node: &mut Node) -> Result<()> {
    node.all_units_run()?;
    let device = &mut node.device;
    ensure!(device.succeed(&format!("{QUERY} 'select 6*7'"))? == "42");
    let containerd = device.succeed("ctr version")?;
    ensure!(containerd.contains("Server:"), "{containerd}");
    ensure!(device.succeed("findmnt -no OPTIONS,FSTYPE /")?.starts_with("ro"), "the root is read-only");
    ensure!(device.succeed("findmnt -no FSTYPE /var")? == "ext4");
    let secrets = "find /var/lib/kubernetes/ -type f ! -name node.env ! -perm 0600";
    ensure!(device.succeed(secrets)?.is_empty(), "keys are root's alone");
    Ok(())
}

/// What no other device has and this one keeps.
#[derive(Debug, PartialEq, Eq)]
pub struct Identity {
    machine: String,
    host_key: String,
    authority: String,
}

impl Identity {
    pub fn of(device: &mut Device) -> Result<Self> {
        let machine = device.succeed("cat /etc/machine-id")?;
        ensure!(machine.len() == 32, "{machine}");
        let host_key = device.succeed("ssh-keyscan -t ed25519 127.0.0.1 2>/dev/null")?;
        ensure!(host_key.contains("ssh-ed25519"), "{host_key}");
        let authority = device.succeed("sha256sum /var/lib/kubernetes/pki/ca.crt")?;
        Ok(Identity { machine, host_key, authority })
    }
}

/// Leaves a row in PostgreSQL.
pub fn keep(device: &mut Device, number: u32) -> Result<()> {
    let sql = format!(
        "create table if not exists kept (n int); delete from kept; insert into kept values ({number})"
    );
    device.succeed(&format!("{QUERY} '{sql}'")).map(drop)
}

pub fn kept(device: &mut Device, number: u32) -> Result<()> {
    let found = device.succeed(&format!("{QUERY} 'select n from kept'"))?;
    ensure!(found == number.to_string(), "PostgreSQL kept {found} and not {number}");
    Ok(())
}

pub fn is_of_another(product: &Product, machine: &str) -> Result<()> {
    let disk = state(product)?;
    let mut device = Device::power_on(product, disk.path())?;
    device.shell()?;
    let other = device.succeed("cat /etc/machine-id")?;
    ensure!(other.len() == 32 && other != machine, "{machine} and {other}");
    Ok(())
}

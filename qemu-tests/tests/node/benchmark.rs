//! The CIS Kubernetes Benchmark, read from a booted node. `tests/cis_table.rs` tests the table and its checks without one.

use anyhow::{Result, ensure};
use geminios_qemu_tests::cis::{Findings, Table, Verdict};

use crate::Node;

pub fn kept(node: &mut Node) -> Result<()> {
    // On a busy host they lose their leases, end themselves and start again.
    let listen = "ss -Hltn 'sport = 10257' | grep -q . && ss -Hltn 'sport = 10259' | grep -q .";
    node.device.succeed(&format!("timeout 300 sh -c \"until {listen}; do sleep 2; done\""))?;
    let device = &mut node.device;
    let table = Table::of_benchmark()?;
    // `!` means something to a shell that somebody types into.
    device.succeed("set +H")?;
    device.succeed(&format!("cat >/run/cis.sh <<'END'\n{}END", table.script()))?;
    let printed = device.succeed("bash /run/cis.sh")?;

    let verdict = Verdict::of(&table, &Findings::parse(&printed)?);
    println!("{verdict}");
    ensure!(verdict.unexpected.is_empty(), "{verdict}\n{}", verdict.unexpected.join("\n"));
    ensure!(verdict.ratio() >= 0.95, "{verdict}");
    Ok(())
}

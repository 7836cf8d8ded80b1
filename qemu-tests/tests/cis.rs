//! The CIS Kubernetes Benchmark, read from a booted node. `tests/cis_table.rs` tests the table and its checks without one.

use anyhow::Result;
use geminios_qemu_tests::cis::{Findings, Table, Verdict};
use geminios_qemu_tests::{Cluster, Device, product, state};

#[test]
fn a_node_keeps_the_benchmark_but_for_what_the_table_says() -> Result<()> {
    let product = product();
    let disk = state(product)?;
    let mut device = Device::power_on(product, disk.path())?;
    device.shell()?;
    let cluster = Cluster::of(product, disk.path())?;
    cluster.until(&["wait", "node", "--all", "--for=condition=Ready", "--timeout=60s"])?;
    assert_eq!(device.settled()?, "running", "{}", device.succeed("systemctl --failed --no-legend")?);

    let table = Table::of_benchmark()?;
    // `!` means something to a shell that somebody types into.
    device.succeed("set +H")?;
    device.succeed(&format!("cat >/run/cis.sh <<'END'\n{}END", table.script()))?;
    let printed = device.succeed("bash /run/cis.sh")?;

    let verdict = Verdict::of(&table, &Findings::parse(&printed)?);
    println!("{verdict}");
    assert!(verdict.unexpected.is_empty(), "{verdict}\n{}", verdict.unexpected.join("\n"));
    assert!(verdict.ratio() >= 0.95, "{verdict}");
    Ok(())
}

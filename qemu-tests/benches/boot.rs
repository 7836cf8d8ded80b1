//! How long a device takes from power to all units up: at its first boot, when /var is made, and at the next.
//! `cargo bench --bench boot -- ROUNDS`

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use geminios_qemu_tests::{Device, product, state};

fn main() -> Result<()> {
    let rounds = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(3);
    let product = product();
    let (mut first, mut next) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        let disk = state(product)?;
        for times in [&mut first, &mut next] {
            let begun = Instant::now();
            let mut device = Device::power_on(product, disk.path())?;
            device.shell()?;
            ensure!(device.settled()? == "running", "{}", device.console());
            times.push(begun.elapsed());
            println!("round {round}: {:.1} s", begun.elapsed().as_secs_f64());
            device.succeed("sync")?;
            device.power_cut();
        }
    }
    println!("first boot, from power to all units up: {}", spread(&mut first));
    println!("next boot, after the plug was pulled:   {}", spread(&mut next));
    Ok(())
}

fn spread(times: &mut [Duration]) -> String {
    times.sort();
    let seconds = |at: usize| times[at].as_secs_f64();
    let last = times.len() - 1;
    format!("{:.1} s (min {:.1}, max {:.1})", seconds(last / 2), seconds(0), seconds(last))
}

//! The plug goes while an update is being installed, at twenty moments by chance, and a real machine starts from what is left.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use geminios_qemu_tests::{Fleet, product};

use crate::releases::QUICK;
use crate::story::Updated;

const CUTS: u32 = 20;
/// One more than the longest time that an installation was seen to take here; some cuts come after its end.
const LONGEST: Duration = Duration::from_secs(60);

#[test]
#[ignore = "twenty boots"]
fn a_plug_pulled_at_twenty_random_moments_leaves_a_device_that_boots() -> Result<()> {
    let fleet = Fleet::of(product(), "x86-base")?;
    let first = fleet.build("1.0.0", &[QUICK])?;
    let mut device = Updated::power_on(first, &fleet)?;
    device.blessed("1.0.0")?;
    let (mut running, mut offered) = (0, 1);
    fleet.publish("1.1.0", &[QUICK])?;
    // The moments are told, so that a failure can be looked at; they come from the clock.
    let seed = Instant::now();
    for cut in 1..=CUTS {
        device.begins("geminios-updater install; echo installed")?;
        let chance = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.subsec_nanos();
        let wait = LONGEST.mul_f64(f64::from(chance % 10_000) / 10_000.0);
        std::thread::sleep(wait);
        device = device.power_cycle()?;
        let now = device.running()?;
        println!(
            "cut {cut}, {:.1} s into the installation of 1.{offered}.0: {now} runs ({} s)",
            wait.as_secs_f32(),
            seed.elapsed().as_secs()
        );
        ensure!(now == format!("1.{running}.0") || now == format!("1.{offered}.0"), "{now} runs");
        device.blessed(&now)?;
        if now == format!("1.{offered}.0") {
            (running, offered) = (offered, offered + 1);
            fleet.publish(&format!("1.{offered}.0"), &[QUICK])?;
        }
    }
    let last = format!("1.{offered}.0");
    device.installs(&last, "")?;
    device.reboots()?;
    device.blessed(&last)
}

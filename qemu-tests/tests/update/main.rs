//! A device from release to release: what is good stays, what is bad goes back, and the plug may go at any time.
//!
//! The image is x86-base: what is tried here is the updater, and a boot takes half a minute instead of two.
//! With Kubernetes, and with twenty cuts: `--ignored`.

mod cuts;
mod kubernetes;
mod releases;
mod story;

use anyhow::{Result, ensure};
use geminios_qemu_tests::{Change, Fleet, product, state};

use releases::{DATA, HANGING, HANGING_EARLY, LATER_DATA, PANICKING, QUICK, UNHEALTHY};
use story::Updated;

#[test]
fn good_releases_stay_and_bad_ones_go_back() -> Result<()> {
    let fleet = Fleet::of(product(), "x86-base")?;
    let first = fleet.build("1.0.0", &[QUICK, DATA])?;
    fleet.publish("1.1.0", &[QUICK, DATA])?;
    let folder = state(product())?;
    let mut device = Updated::power_on_with(first, &fleet, &fleet.stick(folder.path())?)?;
    device.blessed("1.0.0")?;

    device.installs("1.1.0", "--from usb")?;
    device.reboots()?;
    device.blessed("1.1.0")?;

    fleet.publish("1.2.0", &[QUICK, DATA])?;
    device.installs("1.2.0", "")?;
    device.reboots()?;
    device.blessed("1.2.0")?;

    let bad: [(&str, &[Change], &str); 2] = [
        ("1.3.0", &[DATA, UNHEALTHY], "the pump does not answer"),
        ("1.4.0", &[QUICK, DATA, PANICKING], "its tries ran out"),
    ];
    for (version, changes, reason) in bad {
        fleet.publish(version, changes)?;
        device.installs(version, "")?;
        device.falls_back_to("1.2.0", version, reason)?;
        let refused = device.refuses("install")?;
        ensure!(refused.contains("failed on this device before"), "{refused}");
    }

    fleet.publish("1.5.0", &[QUICK, LATER_DATA])?;
    let refused = device.refuses("install")?;
    ensure!(refused.contains("which it does not know"), "{refused}");
    Ok(())
}

#[test]
#[ignore = "six resets by the watchdog"]
fn a_release_that_hangs_goes_back() -> Result<()> {
    let fleet = Fleet::of(product(), "x86-base")?;
    let first = fleet.build("1.0.0", &[QUICK])?;
    let mut device = Updated::power_on(first, &fleet)?;
    device.blessed("1.0.0")?;
    for (version, change) in [("1.1.0", HANGING), ("1.2.0", HANGING_EARLY)] {
        fleet.publish(version, &[QUICK, change])?;
        device.installs(version, "")?;
        device.falls_back_to("1.0.0", version, "its tries ran out")?;
    }
    Ok(())
}

//! The steps of a boot, in their order.

use core::ffi::CStr;

use alloc::format;
use alloc::string::{String, ToString};
use rustix::io::Errno;

use crate::cmdline::{self, Options};
use crate::disk::{self, Slot};
use crate::failure::{self, Failure, Step as _};
use crate::verity::OnCorruption;
use crate::{console, device, dm, file, machine, modules, mount, switch, watchdog};

/// Where the root is mounted until it becomes `/`.
const ROOT: &str = "/sysroot";
const INIT: &CStr = c"/sbin/init";

/// Boots, with `exec` to run the root's init in our place. Returns only if something failed.
pub fn boot(exec: &dyn Fn(&CStr) -> Errno) -> Failure {
    match steps(exec) {
        Ok(failure) | Err(failure) => failure,
    }
}

fn steps(exec: &dyn Fn(&CStr) -> Errno) -> Result<Failure, Failure> {
    mount::kernel_file_systems().step("mount the kernel's file systems")?;
    mount::reboot_after_panic();
    let options = options().step("kernel command line")?;
    modules::load_all().step("load modules")?;
    if let Err(error) = watchdog::arm() {
        console::warn(&error);
    }
    let slot = disk::wait_for_slot(&options.root_hash).step("find the root")?;
    mount_root(&slot, &options).step("mount the root")?;
    let id = machine::identity(&slot.config).step("device identity")?;
    mount::machine_id(ROOT, &id).step("device identity")?;
    switch::into(ROOT).step("switch to the root")?;
    Err(failure::text(exec(INIT))).step("start /sbin/init")
}

fn options() -> Result<Options, String> {
    let text = file::text("/proc/cmdline")?;
    console::set_fail_delay(cmdline::fail_delay(&text));
    cmdline::parse(&text).map_err(|error| error.to_string())
}

/// Maps and mounts the root. Corruption that is met here fails with our own line; what is met later makes
/// the kernel panic, which it says on every console with the device's number, and reboot.
fn mount_root(slot: &Slot, options: &Options) -> Result<(), String> {
    let superblock = device::superblock(&slot.root, &slot.verity)?;
    let table = |on_corruption| {
        superblock.table(&slot.root.number, &slot.verity.number, &options.root_hash, on_corruption)
    };
    let mapped = dm::Mapping::create("root", &superblock.device_uuid("root"))?;
    mapped.set_table(superblock.sectors(), &table(OnCorruption::FailRead))?;
    let mounted = mount::root(&mapped.node()?, ROOT);
    // Asked even if the mount worked: read-ahead may have met a bad block that the mount could do without.
    if mapped.is_corrupted()? {
        return Err(format!(
            "dm-verity refused {}: it or its hash tree {} is corrupted, or not of root hash {}",
            slot.root.path, slot.verity.path, options.root_hash
        ));
    }
    mounted?;
    mapped.set_table(superblock.sectors(), &table(OnCorruption::Panic))?;
    // The numbers are what the kernel names should it find corruption later.
    let (root, verity) = (&slot.root, &slot.verity);
    console::log(&format!(
        "root is {} ({}) through dm-verity, hash tree {} ({})",
        root.path, root.number, verity.path, verity.number
    ));
    Ok(())
}

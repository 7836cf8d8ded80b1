//! The whole initrd: loads modules, finds its slot in the GPT, sets up dm-verity, mounts the root and execs /sbin/init.
//!
//! When a step fails it says so in one line on every console and reboots, so that the boot counter falls.
//! What parses (cmdline, gpt, verity, identity, dm's packets) is pure; the steps in [`boot`] act.
//!
//! Built for a device it has neither the standard nor the C library, which together are ten times its size
//! and would have to be loaded by the firmware at each boot. Built otherwise, as for its tests, it has both.

#![cfg_attr(panic = "abort", no_std, no_main)]
// Only the device's build has a way from its start to the steps.
#![cfg_attr(panic = "unwind", allow(dead_code))]

extern crate alloc;

mod boot;
mod bytes;
mod cmdline;
mod console;
mod crc;
mod device;
mod disk;
mod dm;
mod failure;
mod file;
mod gpt;
#[cfg(any(panic = "abort", test))]
mod heap;
mod identity;
mod machine;
#[cfg(panic = "abort")]
mod memory;
mod modules;
mod mount;
#[cfg(panic = "abort")]
mod start;
mod switch;
mod verity;
mod watchdog;

#[cfg(panic = "unwind")]
fn main() {
    eprintln!("geminios-init is the first process of a device; `geminios build` compiles it for one");
    std::process::exit(1);
}

//! What people see: lines in the kernel's log, and the one line of a failure on every console.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, write};
use rustix::system::{RebootCommand, reboot};
use rustix::thread::{Timespec, nanosleep};

use crate::cmdline::FAIL_DELAY;
use crate::file;

static FAIL_DELAY_SECONDS: AtomicU64 = AtomicU64::new(FAIL_DELAY.as_secs());

/// Sets how long a failure stays on the screen.
pub fn set_fail_delay(delay: Duration) {
    FAIL_DELAY_SECONDS.store(delay.as_secs(), Ordering::Relaxed);
}

/// A line in the kernel's log, so that the journal has it later.
pub fn log(message: &str) {
    to_kernel_log(6, message);
}

/// Something that may explain a failure later.
pub fn warn(message: &str) {
    to_kernel_log(4, message);
}

/// Says why the boot failed, waits so that it can be read, reboots.
pub fn give_up(why: &str) -> ! {
    let line = format!("FAILED: {}", why.replace(['\n', '\r'], " "));
    // At debug level: the consoles get the line from us below and would show it twice.
    to_kernel_log(7, &line);
    for console in consoles() {
        // A console that cannot be written to must not keep the others from it.
        let _ = write_patiently(&console, format!("\r\ngeminios-init: {line}\r\n").as_bytes());
    }
    sleep(Duration::from_secs(FAIL_DELAY_SECONDS.load(Ordering::Relaxed)));
    rustix::fs::sync();
    loop {
        // Fails only for a process without the right to it, which the first one has.
        let _ = reboot(RebootCommand::Restart);
        sleep(Duration::from_secs(1));
    }
}

/// Waits.
pub fn sleep(time: Duration) {
    let request = Timespec { tv_sec: time.as_secs() as _, tv_nsec: time.subsec_nanos().into() };
    let _ = nanosleep(&request);
}

/// The consoles that the kernel writes to, or the one that it gave us.
fn consoles() -> Vec<String> {
    let active = file::text("/sys/class/tty/console/active").unwrap_or_default();
    let names: Vec<String> = active.split_whitespace().map(|name| format!("/dev/{name}")).collect();
    if names.is_empty() { vec!["/dev/console".to_string()] } else { names }
}

/// Writes without ever blocking for long: a serial line with nobody at the other end must not stop the reboot.
fn write_patiently(path: &str, mut bytes: &[u8]) -> Result<(), Errno> {
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let console = open(path, flags, Mode::empty())?;
    for _ in 0..100 {
        match write(&console, bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::AGAIN) => {}
            Err(error) => return Err(error),
        }
        if bytes.is_empty() {
            break;
        }
        sleep(Duration::from_millis(10));
    }
    Ok(())
}

fn to_kernel_log(level: u8, message: &str) {
    // One write is one record (ABI/testing/dev-kmsg). Nothing can be done if it fails.
    let _ = open("/dev/kmsg", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())
        .and_then(|log| write(log, format!("<{level}>geminios-init: {message}").as_bytes()));
}

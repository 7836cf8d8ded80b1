//! Arms the machine's watchdog: what hangs before systemd feeds it is reset, and the boot counter falls.

use alloc::format;
use alloc::string::{String, ToString};

use rustix::io::Errno;
use rustix::ioctl::{Updater, ioctl, opcode};

use crate::failure::About as _;
use crate::file;

const DEVICE: &str = "/dev/watchdog0";
const LOGLEVEL: &str = "/proc/sys/kernel/printk";
/// Seconds from here until systemd has to feed it, which sets its own time then. An emulated machine on a busy host takes ten.
const TIMEOUT: i32 = 60;
/// `WDIOC_SETTIMEOUT` (kernel header linux/watchdog.h).
const SET_TIMEOUT: rustix::ioctl::Opcode = opcode::read_write::<i32>(b'W', 6);

/// Arms it. A machine without one is none that fails.
pub fn arm() -> Result<(), String> {
    let device = match file::writing(DEVICE) {
        Err(Errno::NOENT) => return Ok(()),
        opened => opened.about(DEVICE)?,
    };
    let mut seconds = TIMEOUT;
    // SAFETY: this request reads and writes one int (watchdog-api.rst).
    let set = unsafe { ioctl(&device, Updater::<SET_TIMEOUT, i32>::new(&mut seconds)) };
    // Closed without the letter that would stop it (watchdog-api.rst, "Magic Close feature"). The kernel finds that critical, and
    // would say so on the console at each boot.
    let level = file::text(LOGLEVEL)?;
    file::put(LOGLEVEL, "1", 0)?;
    drop(device);
    file::put(LOGLEVEL, &before(&level), 0)?;
    set.about(format!("{DEVICE}: a timeout of {TIMEOUT} s"))
}

/// The first of the four levels is the console's.
fn before(levels: &str) -> String {
    levels.split_ascii_whitespace().next().unwrap_or("4").to_string()
}

#[cfg(test)]
mod tests {
    use super::before;

    #[test]
    fn the_level_of_the_console_is_the_first() {
        assert_eq!(before("4\t4\t1\t7\n"), "4");
        assert_eq!(before(""), "4");
    }
}

//! The kernel's side: watchdog-api.rst, linux/watchdog.h.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, fstat, major, minor, open, stat};
use rustix::ioctl::{Opcode, Updater, ioctl, opcode};

/// `struct watchdog_info`, WDIOC_GETSUPPORT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Info {
    /// `WDIOF_` flags of what the device can do.
    pub options: u32,
    pub firmware: u32,
    /// ASCII, ends at the first NUL.
    pub identity: [u8; 32],
}

impl Info {
    #[must_use]
    pub fn identity(&self) -> String {
        let name = self.identity.split(|byte| *byte == 0).next().unwrap_or_default();
        String::from_utf8_lossy(name).into_owned()
    }
}

pub const CARDRESET: u32 = 0x20;
pub const SETTIMEOUT: u32 = 0x80;
pub const MAGICCLOSE: u32 = 0x100;
pub const PRETIMEOUT: u32 = 0x200;

/// A watchdog device that is open, so that it runs.
pub trait Device: Send {
    fn info(&self) -> io::Result<Info>;
    /// `WDIOF_` flags at the last start of the machine.
    fn boot_status(&self) -> io::Result<u32>;
    /// Seconds.
    fn timeout(&self) -> io::Result<u32>;
    fn set_timeout(&mut self, seconds: u32) -> io::Result<()>;
    /// Seconds before the reset at which the kernel does something else; 0: none.
    fn set_pretimeout(&mut self, seconds: u32) -> io::Result<()>;
    /// Whether it can never be stopped once it runs; None: the kernel does not say.
    fn no_way_out(&self) -> Option<bool>;
    fn keep_alive(&mut self) -> io::Result<()>;
    /// Says that the next close is meant to stop it.
    fn magic(&mut self) -> io::Result<()>;
}

/// A character device like /dev/watchdog0.
#[derive(Debug)]
pub struct Kernel {
    file: OwnedFd,
    path: PathBuf,
}

impl Kernel {
    /// Opens it; from then on it runs.
    ///
    /// # Errors
    /// EBUSY: another program has it. Anything but a character device is not opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        let is_device = |mode| FileType::from_raw_mode(mode) == FileType::CharacterDevice;
        let none = || io::Error::new(io::ErrorKind::InvalidInput, "it is no character device");
        if !is_device(stat(path)?.st_mode) {
            return Err(none());
        }
        let file = open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
        if is_device(fstat(&file)?.st_mode) {
            Ok(Kernel { file, path: path.to_owned() })
        } else {
            Err(none())
        }
    }

    /// A file of the device in sysfs (ABI/testing/sysfs-class-watchdog).
    fn attribute(&self, name: &str) -> Option<String> {
        attribute(&self.path, name)
    }
}

/// What sysfs says of a device that need not be open.
pub(super) fn attribute(path: &Path, name: &str) -> Option<String> {
    let device = stat(path).ok()?.st_rdev;
    // 10:130 is the old name, /dev/watchdog, of the first one.
    let folder = match (major(device), minor(device)) {
        (10, 130) => PathBuf::from("/sys/class/watchdog/watchdog0"),
        (major, minor) => PathBuf::from(format!("/sys/dev/char/{major}:{minor}")),
    };
    Some(fs::read_to_string(folder.join(name)).ok()?.trim().to_owned())
}

const GROUP: u8 = b'W';
const GETSUPPORT: Opcode = opcode::read::<Info>(GROUP, 0);
const GETBOOTSTATUS: Opcode = opcode::read::<i32>(GROUP, 2);
const SET_TIMEOUT: Opcode = opcode::read_write::<i32>(GROUP, 6);
const GET_TIMEOUT: Opcode = opcode::read::<i32>(GROUP, 7);
const SET_PRETIMEOUT: Opcode = opcode::read_write::<i32>(GROUP, 8);

impl Kernel {
    fn read<const REQUEST: Opcode>(&self) -> io::Result<u32> {
        let mut value = 0;
        // SAFETY: each of the requests that this is called with writes one int or nothing.
        unsafe { ioctl(&self.file, Updater::<REQUEST, i32>::new(&mut value))? };
        u32::try_from(value).map_err(io::Error::other)
    }

    fn write<const REQUEST: Opcode>(&self, seconds: u32) -> io::Result<()> {
        let mut value = i32::try_from(seconds).map_err(io::Error::other)?;
        // SAFETY: both requests that this is called with read one int, and write one.
        unsafe { ioctl(&self.file, Updater::<REQUEST, i32>::new(&mut value))? };
        Ok(())
    }
}

impl Device for Kernel {
    fn info(&self) -> io::Result<Info> {
        let mut info = Info { options: 0, firmware: 0, identity: [0; 32] };
        // SAFETY: WDIOC_GETSUPPORT fills a struct watchdog_info or nothing.
        unsafe { ioctl(&self.file, Updater::<GETSUPPORT, Info>::new(&mut info))? };
        Ok(info)
    }

    fn boot_status(&self) -> io::Result<u32> {
        self.read::<GETBOOTSTATUS>()
    }

    fn timeout(&self) -> io::Result<u32> {
        self.read::<GET_TIMEOUT>()
    }

    fn set_timeout(&mut self, seconds: u32) -> io::Result<()> {
        self.write::<SET_TIMEOUT>(seconds)
    }

    fn set_pretimeout(&mut self, seconds: u32) -> io::Result<()> {
        self.write::<SET_PRETIMEOUT>(seconds)
    }

    fn no_way_out(&self) -> Option<bool> {
        self.attribute("nowayout").map(|value| value == "1")
    }

    fn keep_alive(&mut self) -> io::Result<()> {
        // Not WDIOC_KEEPALIVE: whatever is written but a V does the same, without unsafe.
        rustix::io::write(&self.file, b"1")?;
        Ok(())
    }

    fn magic(&mut self) -> io::Result<()> {
        rustix::io::write(&self.file, b"V")?;
        Ok(())
    }
}

//! Device-mapper: one mapped device and its table, by ioctl (kernel header linux/dm-ioctl.h).

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;

use rustix::fd::OwnedFd;
use rustix::fs::symlink;
use rustix::io::Errno;
use rustix::ioctl::{Opcode, Updater, ioctl, opcode};

use crate::bytes::{u32_at, u64_at};
use crate::failure::About as _;
use crate::file;

const CONTROL: &str = "/dev/mapper/control";
/// Size of `struct dm_ioctl`; targets follow it.
const HEADER: usize = 312;
/// Size of `struct dm_target_spec`; its parameters follow it.
const TARGET: usize = 40;
/// Room for header, target and parameters.
const PACKET: usize = 4096;

/// `DM_READONLY_FLAG`.
const READ_ONLY: u32 = 1;
/// `DM_STATUS_TABLE_FLAG` is not set: what is asked for is the state, not the table.
const STATE: u32 = 0;

const fn request(number: u8) -> Opcode {
    // The header is an in and out argument of `DM_IOCTL` 0xfd.
    opcode::read_write::<[u8; HEADER]>(0xfd, number)
}

const DEV_CREATE: Opcode = request(3);
const DEV_SUSPEND: Opcode = request(6);
const TABLE_LOAD: Opcode = request(9);
const TABLE_STATUS: Opcode = request(12);

/// A mapped device.
pub struct Mapping {
    control: OwnedFd,
    name: &'static str,
    minor: u64,
}

impl Mapping {
    /// Makes a device without a table.
    pub fn create(name: &'static str, uuid: &str) -> Result<Mapping, String> {
        let control =
            file::writing(CONTROL).about("no /dev/mapper/control (is dm-mod among the initrd's modules?)")?;
        let mut packet = Packet::new(name, READ_ONLY);
        packet.set_uuid(uuid);
        packet.call::<DEV_CREATE>(&control).about("device-mapper refused a new device")?;
        Ok(Mapping { control, name, minor: minor(packet.device()) })
    }

    /// Gives it a `verity` table of so many sectors, in place of one that it may have.
    pub fn set_table(&self, sectors: u64, parameters: &str) -> Result<(), String> {
        let mut load = Packet::new(self.name, READ_ONLY);
        load.add_target(sectors, "verity", parameters)?;
        load.call::<TABLE_LOAD>(&self.control)
            .about(format_args!("dm-verity refused the table `{parameters}` (are dm-verity and sha256 among the initrd's modules?)"))?;
        // Without DM_SUSPEND_FLAG this request resumes, which puts the loaded table into force.
        Packet::new(self.name, 0).call::<DEV_SUSPEND>(&self.control).about("dm-verity did not start")
    }

    /// Whether dm-verity has met a block that does not match the tree (`C` in its state; verity.rst, "Status").
    pub fn is_corrupted(&self) -> Result<bool, String> {
        let mut packet = Packet::new(self.name, STATE);
        packet.call::<TABLE_STATUS>(&self.control).about("dm-verity does not tell its state")?;
        Ok(packet.first_status().first() == Some(&b'C'))
    }

    /// The device's node, with the name that other programs expect beside it.
    pub fn node(&self) -> Result<String, String> {
        let link = format!("/dev/mapper/{}", self.name);
        symlink(format!("../dm-{}", self.minor), &link).about(&link)?;
        Ok(link)
    }
}

/// The minor number in what the kernel's huge_encode_dev makes (linux/kdev_t.h).
fn minor(device: u64) -> u64 {
    (device & 0xff) | ((device >> 12) & 0xfff00)
}

/// A `struct dm_ioctl` with what follows it.
#[repr(C, align(8))]
struct Packet([u8; PACKET]);

impl Packet {
    fn new(name: &str, flags: u32) -> Box<Packet> {
        let mut packet = Box::new(Packet([0; PACKET]));
        packet.put(0, &4u32.to_le_bytes()); // version 4.0.0: the oldest that has all that is used here
        packet.put(12, &(PACKET as u32).to_ne_bytes());
        packet.put(16, &(HEADER as u32).to_ne_bytes());
        packet.put(28, &flags.to_ne_bytes());
        packet.put(48, name.as_bytes());
        packet
    }

    fn set_uuid(&mut self, uuid: &str) {
        self.put(176, &uuid.as_bytes()[..uuid.len().min(128)]);
    }

    fn add_target(&mut self, sectors: u64, kind: &str, parameters: &str) -> Result<(), String> {
        // One byte for the zero at the end, then the kernel wants a multiple of eight.
        let end = (HEADER + TARGET + parameters.len() + 1).next_multiple_of(8);
        if end > PACKET {
            return Err(format!("a table of {} bytes is too long", parameters.len()));
        }
        self.put(20, &1u32.to_ne_bytes());
        self.put(HEADER + 8, &sectors.to_ne_bytes());
        self.put(HEADER + 20, &((end - HEADER) as u32).to_ne_bytes());
        self.put(HEADER + 24, kind.as_bytes());
        self.put(HEADER + TARGET, parameters.as_bytes());
        Ok(())
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn device(&self) -> u64 {
        u64_at(&self.0, 40)
    }

    /// What the first target says about itself.
    fn first_status(&self) -> &[u8] {
        let start = (u32_at(&self.0, 16) as usize).saturating_add(TARGET);
        let text = self.0.get(start..).unwrap_or_default();
        text.split(|byte| *byte == 0).next().unwrap_or_default()
    }

    fn call<const REQUEST: Opcode>(&mut self, control: &OwnedFd) -> Result<(), Errno> {
        // SAFETY: all requests are of device-mapper's DM_IOCTL family, which takes a `struct dm_ioctl` and
        // touches as many bytes as its data_size says: PACKET, the size of this aligned buffer.
        unsafe { ioctl(control, Updater::<REQUEST, Packet>::new(self)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_have_the_numbers_of_the_kernel_header() {
        // strace of dmsetup shows DM_DEV_CREATE as 0xc138fd03.
        assert_eq!((DEV_CREATE, TABLE_STATUS), (0xc138_fd03, 0xc138_fd0c));
    }

    #[test]
    fn a_table_packet_as_the_kernel_reads_it() {
        let mut packet = Packet::new("root", READ_ONLY);
        packet.add_target(8000, "verity", "1 254:2").unwrap();
        assert_eq!(packet.0[48..53], *b"root\0");
        assert_eq!(u32_at(&packet.0, 20), 1);
        assert_eq!(u64_at(&packet.0, HEADER + 8), 8000);
        assert_eq!(u32_at(&packet.0, HEADER + 20), 48);
        assert_eq!(packet.0[HEADER + 24..HEADER + 31], *b"verity\0");
        assert_eq!(packet.first_status(), b"1 254:2");
    }

    #[test]
    fn a_table_that_does_not_fit_is_refused() {
        let parameters = "x".repeat(PACKET - HEADER - TARGET);
        assert!(Packet::new("root", 0).add_target(8, "verity", &parameters).is_err());
        assert!(Packet::new("root", 0).add_target(8, "verity", &parameters[1..]).is_ok());
    }

    #[test]
    fn minors_beyond_one_byte() {
        assert_eq!(minor(0xfe03), 3);
        assert_eq!(minor(0x0010_fe03), 0x103);
    }
}

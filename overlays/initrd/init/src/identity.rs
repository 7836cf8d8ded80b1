//! The device's identity block: a machine-id in two copies at the end of the `config` partition. Pure.
//!
//! Each copy has a 4096-byte block of its own, so that a write that power cuts short spoils one copy
//! at most, also on disks whose physical sectors are larger than their logical ones. Layout of a copy,
//! little-endian: magic (8 bytes), version (4), machine-id (16), CRC-32 of these 28 bytes (4), zeros.

use core::fmt;

use alloc::vec::Vec;

use crate::bytes::{array, u32_at};
use crate::crc::crc32;

/// Bytes of one copy.
pub const COPY: usize = 4096;
/// Copies at the end of the partition.
pub const COPIES: usize = 2;

const MAGIC: &[u8; 8] = b"GEMINIID";
const VERSION: u32 = 1;

/// What systemd calls the machine-id: 128 random bits, marked as a UUID of version 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MachineId([u8; 16]);

impl MachineId {
    /// Marks random bytes as systemd does (machine-id(5)), which also means that it is never all zeros.
    pub fn from_random(mut bytes: [u8; 16]) -> Self {
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        MachineId(bytes)
    }

    /// One copy, ready to be written.
    pub fn to_copy(self) -> [u8; COPY] {
        let mut copy = [0; COPY];
        copy[..8].copy_from_slice(MAGIC);
        copy[8..12].copy_from_slice(&VERSION.to_le_bytes());
        copy[12..28].copy_from_slice(&self.0);
        let crc = crc32(&copy[..28]);
        copy[28..32].copy_from_slice(&crc.to_le_bytes());
        copy
    }

    /// The id in a copy, unless the copy is empty or damaged.
    pub fn from_copy(copy: &[u8]) -> Option<MachineId> {
        let sound = copy.starts_with(MAGIC)
            && u32_at(copy, 8) == VERSION
            && copy.len() >= 32
            && u32_at(copy, 28) == crc32(&copy[..28]);
        let id = array(copy, 12).filter(|_| sound)?;
        (MachineId::from_random(id).0 == id).then_some(MachineId(id))
    }
}

impl fmt::Display for MachineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What is to be done about the copies as they were found.
#[derive(Debug, PartialEq, Eq)]
pub struct Plan {
    /// The identity to boot with.
    pub id: MachineId,
    /// Whether it was made just now.
    pub is_new: bool,
    /// Copies to write, in this order, each flushed before the next.
    pub write: Vec<usize>,
}

/// Decides from the two copies; `fresh` is the identity to take if neither holds one.
pub fn plan(copies: [&[u8]; COPIES], fresh: MachineId) -> Plan {
    let found = copies.map(MachineId::from_copy);
    // Should both be sound and differ, the first one wins: it is written first.
    let known = found.into_iter().flatten().next();
    let id = known.unwrap_or(fresh);
    let write = (0..COPIES).filter(|copy| found[*copy] != Some(id)).collect();
    Plan { id, is_new: known.is_none(), write }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(byte: u8) -> MachineId {
        MachineId::from_random([byte; 16])
    }

    #[test]
    fn a_new_device_gets_a_fresh_identity_in_both_copies() {
        let empty: &[u8] = &[0; COPY];
        assert_eq!(plan([empty, empty], id(7)), Plan { id: id(7), is_new: true, write: vec![0, 1] });
    }

    #[test]
    fn a_known_device_keeps_its_identity() {
        let copy = &id(1).to_copy()[..];
        assert_eq!(plan([copy, copy], id(7)), Plan { id: id(1), is_new: false, write: vec![] });
    }

    #[test]
    fn one_sound_copy_is_enough_and_mends_the_other() {
        let (sound, mut torn) = (id(1).to_copy(), id(1).to_copy());
        torn[20] ^= 1;
        let mended = |copy| Plan { id: id(1), is_new: false, write: vec![copy] };
        assert_eq!(plan([&sound, &torn], id(7)), mended(1));
        assert_eq!(plan([&torn, &sound], id(7)), mended(0));
        assert_eq!(plan([&sound, &[]], id(7)), mended(1));
    }

    #[test]
    fn copies_that_differ_agree_with_the_first_again() {
        assert_eq!(
            plan([&id(1).to_copy(), &id(2).to_copy()], id(7)),
            Plan { id: id(1), is_new: false, write: vec![1] }
        );
    }

    #[test]
    fn any_changed_byte_of_a_copy_is_noticed() {
        for at in 0..32 {
            let mut copy = id(9).to_copy();
            copy[at] ^= 0x10;
            assert_eq!(MachineId::from_copy(&copy), None, "byte {at}");
        }
        for length in 0..32 {
            assert_eq!(MachineId::from_copy(&id(9).to_copy()[..length]), None, "{length} bytes");
        }
    }

    #[test]
    fn ids_look_like_those_of_systemd() {
        assert_eq!(id(0xff).to_string(), "ffffffffffff4fffbfffffffffffffff");
        assert_eq!(id(0).to_string(), "00000000000040008000000000000000");
    }
}

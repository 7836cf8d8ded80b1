//! Reads the device's identity, and makes one at the first boot.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use rustix::fd::OwnedFd;
use rustix::fs::{Advice, fadvise, fsync};
use rustix::rand::{GetRandomFlags, getrandom};

use crate::device::PartitionDevice;
use crate::failure::{About as _, text};
use crate::identity::{self, COPIES, COPY, MachineId};
use crate::{console, file};

/// The identity of this device. A damaged copy is mended from the other.
///
/// Without a place to keep it a new identity is refused: the device would be another one at every boot.
pub fn identity(config: &PartitionDevice) -> Result<MachineId, String> {
    let path = &config.path;
    let room = (COPIES * COPY) as u64;
    let start = config.size.checked_sub(room).ok_or_else(|| format!("{path} is too small to hold it"))?;
    let file = file::writing(path).about(path)?;
    let copies: [Vec<u8>; COPIES] = core::array::from_fn(|copy| read(&file, position(start, copy)));
    let plan = identity::plan(copies.each_ref().map(Vec::as_slice), random_id()?);
    for copy in &plan.write {
        match write(&file, position(start, *copy), plan.id) {
            Ok(()) => console::log(&format!("{path}: wrote copy {copy} of machine-id {}", plan.id)),
            Err(reason) if plan.is_new => return Err(format!("{path}, copy {copy}: {reason}")),
            Err(reason) => console::warn(&format!("device identity: {path}, copy {copy}: {reason}")),
        }
    }
    Ok(plan.id)
}

fn position(start: u64, copy: usize) -> u64 {
    start + (copy * COPY) as u64
}

/// A copy that cannot be read counts as damaged.
fn read(file: &OwnedFd, at: u64) -> Vec<u8> {
    let mut bytes = vec![0; COPY];
    match file::read_at(file, &mut bytes, at) {
        Ok(()) => bytes,
        Err(error) => {
            console::warn(&format!("device identity: byte {at} of its partition: {}", text(error)));
            Vec::new()
        }
    }
}

fn write(file: &OwnedFd, at: u64, id: MachineId) -> Result<(), String> {
    file::write_at(file, &id.to_copy(), at).about("cannot be written")?;
    fsync(file).about("cannot be flushed")?;
    // Past the page cache, which would only repeat what was just put into it.
    fadvise(file, at, None, Advice::DontNeed).about("cache cannot be dropped")?;
    if read(file, at) == id.to_copy() { Ok(()) } else { Err("reads back otherwise than written".into()) }
}

fn random_id() -> Result<MachineId, String> {
    let mut bytes = [0; 16];
    // Waits until the kernel's generator is seeded, for which its own jitter takes a second if nothing else is there.
    match getrandom(&mut bytes, GetRandomFlags::empty()).about("getrandom")? {
        16 => Ok(MachineId::from_random(bytes)),
        length => Err(format!("getrandom: {length} bytes of 16")),
    }
}

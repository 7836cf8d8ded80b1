//! Does the steps of a plan, in their order, and stops at the first that fails. It chooses nothing.

mod image;
mod kernel;

use std::io;

use crate::device::{Device, Source};
use crate::journal::{self, Event, Journal};
use crate::step::{Extent, Step, Table};
use crate::verity;

pub use image::PROGRESS;

/// A step that failed. What was done before it stays; the next run of the updater goes on from there.
#[derive(Debug, thiserror::Error)]
#[error("{step}: {cause}")]
pub struct RunError {
    /// The step, as its plan prints it.
    pub step: String,
    pub cause: Cause,
}

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    #[error("{0}")]
    Io(#[from] io::Error),
    /// What was read back is not what was written, or the source gave something else than the release.
    #[error("{0}")]
    Mismatch(String),
    /// The source ended too early. What it gave until then may be right.
    #[error("the source ends after {at} bytes of the {image}")]
    Cut { image: crate::Image, at: u64 },
    /// The plan is of a device with another boot loader.
    #[error("this device has no such boot bytes")]
    NoBootBytes,
}

/// Does the steps.
///
/// # Errors
/// The first step that failed.
pub fn run(steps: &[Step], device: &mut dyn Device, source: &mut dyn Source) -> Result<(), RunError> {
    for step in steps {
        let Err(cause) = one(step, device, source) else { continue };
        if let (Step::WriteImage { .. } | Step::VerifySlot { .. }, Cause::Mismatch(why)) = (step, &cause) {
            // Else the next run would go on behind wrong bytes, and fail for ever. The first error is the one to tell.
            let _ = record(&Event::Discarded(why.clone()), device);
        }
        return Err(RunError { step: step.to_string(), cause });
    }
    Ok(())
}

fn one(step: &Step, device: &mut dyn Device, source: &mut dyn Source) -> Result<(), Cause> {
    match step {
        Step::Record(event) => record(event, device)?,
        Step::WriteImage { image, to, blob, claim } => {
            return image::write(*image, *to, *blob, *claim, device, source);
        }
        Step::FlushDisk => device.disk().flush()?,
        Step::VerifySlot { root, root_blob, verity, verity_blob, root_hash } => {
            let result = {
                // Two readers of one disk, one after the other.
                let disk = std::cell::RefCell::new(device.disk());
                let read = |extent: &Extent, at: u64, buffer: &mut [u8]| {
                    disk.borrow_mut().read_uncached_at(extent.start + at, buffer)
                };
                let mut read_root = |at: u64, buffer: &mut [u8]| read(root, at, buffer);
                let mut read_verity = |at: u64, buffer: &mut [u8]| read(verity, at, buffer);
                verity::verify((&mut read_root, *root_blob), (&mut read_verity, *verity_blob), root_hash)?
            };
            return result.map_err(Cause::Mismatch);
        }
        Step::WriteTable(table) => {
            device.disk().write_at(table.entries_at, &table.entries)?;
            device.disk().write_at(table.header_at, &table.header)?;
        }
        Step::CheckTable(table) => return check_table(table, device),
        Step::CreateUki { name, blob } => return kernel::create(name, *blob, device.esp(), source),
        Step::CopyUki { from, name } => kernel::copy(from, name, device.esp())?,
        Step::SyncFile(name) => device.esp().sync(name)?,
        Step::SyncFolder => device.esp().sync_folder()?,
        Step::CheckUki { name, blob, root_hash, version, sort_key } => {
            let wanted = crate::uki::UkiInfo {
                root_hash: *root_hash,
                version: version.clone(),
                sort_key: sort_key.clone(),
            };
            return kernel::check(name, *blob, &wanted, device.esp());
        }
        Step::CheckCopy { from, name } => return kernel::check_copy(from, name, device.esp()),
        Step::ShowUki(name) => device.esp().overwrite(name, 0, &crate::uki::MAGIC)?,
        Step::HideUki(name) => device.esp().overwrite(name, 0, &[0; 2])?,
        Step::RemoveUki(name) => device.esp().remove(name)?,
        Step::WriteBootBytes { copy, bytes } => {
            device.boot_bytes().ok_or(Cause::NoBootBytes)?.write(*copy, bytes)?;
        }
        Step::FlushBootBytes => device.boot_bytes().ok_or(Cause::NoBootBytes)?.flush()?,
    }
    Ok(())
}

/// A journal that cannot be read is begun anew: what it held saves work only.
fn record(event: &Event, device: &mut dyn Device) -> io::Result<()> {
    let now = device.now();
    let file = device.journal();
    let journal = journal::load(file)?.unwrap_or_else(|_| Journal::default());
    journal::store(&journal.after(event, now), file)
}

fn check_table(table: &Table, device: &mut dyn Device) -> Result<(), Cause> {
    for (at, bytes) in [(table.entries_at, &table.entries), (table.header_at, &table.header)] {
        let mut seen = vec![0; bytes.len()];
        device.disk().read_uncached_at(at, &mut seen)?;
        if seen != *bytes {
            return Err(Cause::Mismatch(format!(
                "the {} partition table is not what was written",
                table.side
            )));
        }
    }
    Ok(())
}

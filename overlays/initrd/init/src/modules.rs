//! Loads the kernel modules that the builder put into the initrd, in its order.

use alloc::format;
use alloc::string::String;

use rustix::io::Errno;
use rustix::system::finit_module;

use crate::failure::About as _;
use crate::{console, file};

/// The names of files below /modules, one a line; the builder sorted them so that dependencies come first.
const LIST: &str = "/modules.list";

/// Loads them all. A module that cannot be loaded is only logged: its hardware may not be there,
/// and if it mattered the disk will not be found or dm-verity will be missing, with a message of its own.
pub fn load_all() -> Result<(), String> {
    for name in file::text(LIST)?.lines().filter(|line| !line.is_empty()) {
        if let Err(error) = load(name) {
            console::warn(&error);
        }
    }
    Ok(())
}

fn load(name: &str) -> Result<(), String> {
    let path = format!("/modules/{name}");
    let file = file::reading(&path).about(&path)?;
    match finit_module(&file, c"", 0) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(error).about(&path),
    }
}

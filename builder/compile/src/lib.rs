//! A device program of this tree + a locked compiler -> a static binary for the device's architecture.
//!
//! Neither the host's Rust nor its libraries reach the binary: rustc, cargo and the linker are packages of the
//! lock; crates are those of Cargo.lock, by checksum; the program is compiled in a workspace of its own that
//! holds nothing else. Folder, user, umask, locale and job count do not change a byte.

mod cargo;
mod compile;
mod crates;
mod error;
mod linker;
mod locked;
mod manifest;
mod stage;

pub use compile::{Compiled, Job, compile};
pub use crates::HostCargo;
pub use error::CompileError;

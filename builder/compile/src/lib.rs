//! A program of this tree + a locked compiler -> a static binary for the device's architecture.
//!
//! Neither the host's compilers nor its libraries reach the binary. Of Rust: rustc, cargo and the linker are packages
//! of the lock; crates are those of Cargo.lock, by checksum. Of Go: the distribution is pinned by its hash; modules are
//! those of go.sum. A program is compiled in a folder of its own that holds nothing else. Folder, user, umask, locale
//! and job count do not change a byte.

mod error;
mod go;
mod program;
mod rust;

pub use error::CompileError;
pub use go::{GoCaches, GoJob, GoTools, compile_go};
pub use program::Compiled;
pub use rust::{HostCargo, Job, compile};

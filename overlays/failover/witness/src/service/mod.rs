//! Our own witness: many sites' registers in one process, one file each.

pub mod add;
pub mod args;
pub mod client;
mod connection;
pub(crate) mod file;
mod server;
mod sites;

pub use file::File;
pub use server::{Limits, serve};
pub use sites::Sites;

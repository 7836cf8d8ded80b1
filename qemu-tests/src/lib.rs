//! Boots what was built, as machines do: a device on a table, its console, its power switch.

pub mod cis;
mod cluster;
mod device;
mod fleet;
mod go;
mod product;
mod variant;
mod writer;

pub use cluster::Cluster;
pub use device::{Device, Output, state};
pub use fleet::{Change, Fleet};
pub use product::{Product, product};
pub use writer::{Writer, verify};

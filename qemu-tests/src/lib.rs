//! Boots what was built, as machines do: a device on a table, its console, its power switch.

mod device;
mod product;

pub use device::{Device, Output, state};
pub use product::{Product, product};

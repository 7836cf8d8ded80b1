//! Whether the other node is off: by a BMC, by a program, by its reset line; and all that only looks so.
#![allow(clippy::unwrap_used)]

mod bmc;
mod command;
mod gpio;
mod hostile;
mod redfish;
#[path = "../shared/script.rs"]
mod script;
mod sushy;

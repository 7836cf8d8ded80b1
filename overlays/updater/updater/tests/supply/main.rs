//! Updates from every kind of supply, good and hostile, onto a disk in a file.
#![allow(clippy::unwrap_used)]

mod good;
#[path = "../../../slots/tests/cuts/gpt.rs"]
#[allow(dead_code)]
mod gpt;
mod hostile;
mod machine;
mod refused;
mod run;
mod server;
mod settings;
mod sticks;
mod ways;
mod world;

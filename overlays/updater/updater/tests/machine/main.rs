//! The machine, its health and what the program says, on a device in a folder.
#![allow(clippy::unwrap_used)]

mod commands;
mod disk;
mod health;
mod messages;
mod place;
mod snapshots;
mod system;
mod table;
mod watch;
mod world;

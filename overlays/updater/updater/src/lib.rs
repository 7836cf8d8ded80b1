//! The updater of a device: what it runs, what it is offered, how it gets there, and what it says of it.
#![forbid(unsafe_code)]

pub mod args;
pub mod config;
pub mod health;
pub mod image;
pub mod machine;
pub mod snapshot;
pub mod supply;
pub mod verbs;

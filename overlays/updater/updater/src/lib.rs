//! The updater of a device: what it runs, what it is offered, how it gets there, and what it says of it.
#![forbid(unsafe_code)]

pub mod image;

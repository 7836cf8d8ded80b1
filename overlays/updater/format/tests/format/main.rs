//! The format, written and read by this crate alone. tests/judge asks the reference implementation of TUF.
#![allow(clippy::unwrap_used)]

mod bits;
mod client;
mod json;
mod made;
mod write;

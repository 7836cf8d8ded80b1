//! Packages as a hostile mirror could send them, and good ones: what is unpacked, what is refused, and in which words.
#![allow(clippy::unwrap_used)]

mod bombs;
mod container;
mod control;
mod cuts;
mod good;
mod members;
mod package;
mod tool_sets;
mod world;

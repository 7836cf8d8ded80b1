//! Runs on folders of their own: first and later ones, renewal, damage, power cuts, full disks.

#![allow(clippy::unwrap_used)]

mod command;
mod damage;
mod first;
mod interruption;
mod renewal;
mod scene;

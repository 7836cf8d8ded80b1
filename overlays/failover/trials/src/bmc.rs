//! What has power over a machine, in place of its lights-out board: the other machine runs it to switch that one off.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::follow::order;
use crate::layout;
use crate::node::Node;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    Works,
    /// It says that it cannot.
    Fails,
    /// It says nothing.
    Hangs,
    /// It says that it did, and did nothing: the power that is read afterwards is on.
    Lies,
}

const NAMES: [(&str, Manner); 4] =
    [("works", Manner::Works), ("fails", Manner::Fails), ("hangs", Manner::Hangs), ("lies", Manner::Lies)];

/// From now on.
///
/// # Errors
/// It cannot be written.
pub fn set(of: &Node, manner: Manner) -> Result<()> {
    let name = NAMES.iter().find(|(_, one)| *one == manner).map_or("works", |(name, _)| name);
    of.write(layout::BMC, name, 0o600)
}

/// Switches the other machine off, and ends well only if it is seen to be off.
///
/// # Errors
/// It was not.
pub fn off() -> Result<()> {
    let other = Path::new(layout::OTHER);
    let manner = std::fs::read_to_string(other.join("bmc")).unwrap_or_default();
    let manner = NAMES.iter().find(|(name, _)| *name == manner).map_or(Manner::Works, |(_, manner)| *manner);
    let control = other.join("control");
    let is_on = || UnixStream::connect(&control).is_ok();
    match manner {
        Manner::Fails => bail!("the board refuses"),
        Manner::Hangs => sleep(Duration::from_secs(3600)),
        // What is read afterwards is what a board says that has not done anything.
        Manner::Lies => bail!("the board said that it did it, and the power is on"),
        Manner::Works if is_on() => {
            // It answers nothing: it is gone.
            let _ = order(&control, "off");
        }
        Manner::Works => {}
    }
    for _ in 0..100 {
        if !is_on() {
            return Ok(());
        }
        sleep(Duration::from_millis(20));
    }
    Err(anyhow::anyhow!("the power is on")).context(control.display().to_string())
}

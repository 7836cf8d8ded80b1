//! What pg_control says of a cluster that does not run.

use std::{path::Path, process::Command};

use crate::{Error, Lsn, Settings};

/// What a cluster was when it was last written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Was {
    /// It took writes, and stopped with a checkpoint at this place, its last record.
    Primary {
        stopped: bool,
    },
    Standby,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Control {
    pub system: u64,
    pub was: Was,
    pub timeline: u32,
    pub checkpoint: Lsn,
}

/// Asks pg_controldata(1).
pub(crate) fn read(settings: &Settings, data: &Path) -> Result<Control, Error> {
    let program = settings.program("pg_controldata");
    let name = || format!("{} {}", program.display(), data.display());
    let output = Command::new(&program).arg(data).env("LC_ALL", "C").output();
    let output = output.map_err(|error| Error::Program(name(), error.to_string()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let why = || String::from_utf8_lossy(&output.stderr).trim().to_owned();
    // A wrong checksum is a warning only.
    if !output.status.success() || !output.stderr.is_empty() {
        return Err(Error::Program(name(), why()));
    }
    parse(&text).ok_or_else(|| Error::Program(name(), format!("not understood: {text}")))
}

fn parse(text: &str) -> Option<Control> {
    let value =
        |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).map(str::trim);
    let was = match value("Database cluster state")? {
        "shut down" => Was::Primary { stopped: true },
        "shut down in recovery" | "in archive recovery" => Was::Standby,
        // "in production", "in crash recovery", "shutting down", "starting up"
        _ => Was::Primary { stopped: false },
    };
    if value("Bytes per WAL segment")?.parse() != Ok(crate::lsn::SEGMENT) {
        return None;
    }
    Some(Control {
        system: value("Database system identifier")?.parse().ok()?,
        was,
        timeline: value("Latest checkpoint's TimeLineID")?.parse().ok()?,
        checkpoint: Lsn::parse(value("Latest checkpoint location")?)?,
    })
}

use anyhow::Result;
use geminios_model::{Arch, LOCK_FORMAT};
use serde::Serialize;

use crate::report::{self, Report};
use crate::session::Session;

#[derive(Serialize)]
struct Version {
    geminios: &'static str,
    lock_format: u32,
    host: Option<Arch>,
}

impl Report for Version {
    fn text(&self) -> String {
        let host = self.host.map_or("unknown", Arch::debian);
        format!("geminios {}\nlock format {}\nhost {host}\n", self.geminios, self.lock_format)
    }
}

/// Prints versions.
pub fn run(session: &Session) -> Result<()> {
    let version =
        Version { geminios: env!("CARGO_PKG_VERSION"), lock_format: LOCK_FORMAT, host: Arch::host() };
    report::print(&version, session.global.format)
}

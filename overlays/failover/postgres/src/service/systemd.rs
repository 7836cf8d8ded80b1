use std::{path::PathBuf, process::Command};

use super::{Service, Stop};
use crate::{Error, Settings, processes};

/// A unit of systemd, driven by systemctl(1). The unit has to be `Restart=no`, and not enabled: at boot nobody knows yet which role
/// it is to have.
pub struct Systemd {
    unit: String,
    data: PathBuf,
}

impl Systemd {
    /// For instance `postgresql.service`.
    pub fn new(settings: &Settings, unit: &str) -> Self {
        Systemd { unit: unit.to_owned(), data: settings.data.clone() }
    }

    fn systemctl(&self, arguments: &[&str]) -> Result<String, Error> {
        let failed =
            |why: String| Error::Program(format!("systemctl {} {}", arguments.join(" "), self.unit), why);
        let output = Command::new("systemctl").args(arguments).arg(&self.unit).output();
        let output = output.map_err(|error| failed(error.to_string()))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }
}

impl Service for Systemd {
    fn start(&mut self) -> Result<(), Error> {
        // What stopped on its own counts as failed, and may not be started again for a while.
        let _ = self.systemctl(&["reset-failed"]);
        self.systemctl(&["start", "--no-block"]).map(drop)
    }

    fn stop(&mut self, how: Stop) -> Result<(), Error> {
        // First the wish, else systemd would start it again; `mixed` sends SIGINT to the postmaster only.
        self.systemctl(&["stop", "--no-block"])?;
        match how {
            Stop::Fast => Ok(()),
            Stop::Immediate => self.systemctl(&["kill", "--kill-whom=main", "--signal=SIGQUIT"]).map(drop),
            Stop::Kill => {
                let killed = self.systemctl(&["kill", "--kill-whom=all", "--signal=SIGKILL"]);
                processes::kill(&self.data);
                killed.map(drop)
            }
        }
    }

    fn is_running(&mut self) -> Result<bool, Error> {
        let state = self.systemctl(&["show", "--property=ActiveState", "--value"])?;
        Ok(!matches!(state.trim(), "inactive" | "failed"))
    }
}

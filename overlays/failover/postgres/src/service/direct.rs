use std::{
    fs::OpenOptions,
    os::unix::{fs::OpenOptionsExt, process::CommandExt},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use rustix::process::Signal;

use super::{Service, Stop};
use crate::{Error, Settings, error::At, processes};

/// A postmaster that is a child of this process, or was one of an earlier run. For tests, and where there is no systemd.
pub struct Direct {
    data: PathBuf,
    config_file: PathBuf,
    program: PathBuf,
    log: PathBuf,
    run_as: Option<(u32, u32)>,
    child: Option<Child>,
}

impl Direct {
    /// Its output is appended to `log`.
    pub fn new(settings: &Settings, log: PathBuf) -> Self {
        Direct {
            data: settings.data.clone(),
            config_file: settings.config_file.clone(),
            program: settings.program("postgres"),
            log,
            run_as: settings.run_as,
            child: None,
        }
    }

    /// Reaps it: the pid of a zombie in postmaster.pid would keep the next one from starting.
    fn reap(&mut self) {
        if self.child.as_mut().is_some_and(|child| !matches!(child.try_wait(), Ok(None))) {
            self.child = None;
        }
    }
}

impl Service for Direct {
    fn start(&mut self) -> Result<(), Error> {
        if self.is_running()? {
            return Ok(());
        }
        let log = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.log).at(&self.log)?;
        let mut command = Command::new(&self.program);
        command
            .arg("-D")
            .arg(&self.data)
            .arg("-c")
            .arg(format!("config_file={}", self.config_file.display()));
        command.current_dir("/").env("LC_ALL", "C.UTF-8").process_group(0);
        command.stdin(Stdio::null()).stdout(log.try_clone().at(&self.log)?).stderr(log);
        if let Some((user, group)) = self.run_as {
            command.uid(user).gid(group);
        }
        self.child = Some(command.spawn().at(&self.program)?);
        Ok(())
    }

    fn stop(&mut self, how: Stop) -> Result<(), Error> {
        match how {
            Stop::Fast => processes::signal(&self.data, Signal::INT),
            Stop::Immediate => processes::signal(&self.data, Signal::QUIT),
            Stop::Kill => processes::kill(&self.data),
        }
        Ok(())
    }

    fn is_running(&mut self) -> Result<bool, Error> {
        self.reap();
        Ok(self.child.is_some() || !processes::gone(&self.data))
    }
}

impl Drop for Direct {
    /// The postmaster goes on. Somebody has to reap it when it ends.
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            std::thread::spawn(move || child.wait());
        }
    }
}

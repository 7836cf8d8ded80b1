use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::product::Product;

/// Longer than any boot or command takes under emulation on a busy machine: a guard against hangs, no measure.
const PATIENCE: Duration = Duration::from_secs(1800);

/// One machine, started by `geminios run`, with us at its console.
pub struct Device {
    process: Child,
    keyboard: ChildStdin,
    screen: Arc<Screen>,
    /// How much of the console has been looked at.
    seen: usize,
    commands: usize,
}

#[derive(Default)]
struct Screen {
    text: Mutex<(String, bool)>,
    changed: Condvar,
}

/// What a command on the device printed, and its exit status.
#[derive(Debug)]
pub struct Output {
    pub text: String,
    pub status: i32,
}

impl Device {
    /// Switches on a machine whose disk is in `state`; a new disk is made from the image if there is none.
    ///
    /// # Errors
    /// The command cannot be started.
    pub fn power_on(product: &Product, state: &Path) -> Result<Self> {
        Self::power_on_with(product, state, &[])
    }

    /// As [`Device::power_on`], with more options of `geminios run`.
    ///
    /// # Errors
    /// The command cannot be started.
    pub fn power_on_with(product: &Product, state: &Path, options: &[&str]) -> Result<Self> {
        let mut process = product
            .command("run")
            .arg(&product.profile)
            .arg("--out")
            .arg(&product.out)
            .arg("--state")
            .arg(state)
            .arg("--isolated")
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("`geminios run` cannot be started")?;
        let keyboard = process.stdin.take().context("no console input")?;
        let mut output = process.stdout.take().context("no console output")?;
        let screen = Arc::new(Screen::default());
        let writer = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let read = output.read(&mut buffer).unwrap_or(0);
                let Ok(mut text) = writer.text.lock() else { return };
                text.0.push_str(&String::from_utf8_lossy(&buffer[..read]));
                text.1 = read == 0;
                writer.changed.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
        Ok(Device { process, keyboard, screen, seen: 0, commands: 0 })
    }

    /// Waits until the console shows `words`, after what was already looked at; gives what came before them.
    ///
    /// # Errors
    /// The machine ended, or nothing came for far too long; with the last lines of the console.
    pub fn expect(&mut self, words: &str) -> Result<String> {
        let begun = Instant::now();
        let mut text = self.screen.text.lock().map_err(|_| anyhow::anyhow!("the console reader died"))?;
        loop {
            if let Some(at) = text.0[self.seen..].find(words) {
                let before = text.0[self.seen..self.seen + at].to_owned();
                self.seen += at + words.len();
                return Ok(before);
            }
            if text.1 {
                bail!("the machine ended before its console showed `{words}`:\n{}", tail(&text.0));
            }
            if begun.elapsed() > PATIENCE {
                let shown = tail(&text.0);
                drop(text);
                bail!("the console never showed `{words}`:\n{shown}\n{}", self.registers());
            }
            (text, _) = self
                .screen
                .changed
                .wait_timeout(text, Duration::from_secs(1))
                .map_err(|_| anyhow::anyhow!("the console reader died"))?;
        }
    }

    /// Where the processors of a machine stand that does not go on: QEMU's monitor tells, behind the console's escape.
    fn registers(&mut self) -> String {
        let length = |device: &Device| device.screen.text.lock().map_or(0, |text| text.0.len());
        let before = length(self);
        let mut told = String::new();
        for _ in 0..2 {
            if self
                .keyboard
                .write_all(b"\x01cinfo registers -a\n\x01c")
                .and_then(|()| self.keyboard.flush())
                .is_err()
            {
                break;
            }
            std::thread::sleep(Duration::from_secs(3));
        }
        if let Ok(text) = self.screen.text.lock() {
            told.push_str(&text.0[before..]);
        }
        told.lines()
            .filter(|line| line.contains("IP=") || line.starts_with("CPU#"))
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// Waits for the shell that a developer's machine opens on its console.
    ///
    /// # Errors
    /// As [`Device::expect`].
    pub fn shell(&mut self) -> Result<()> {
        self.expect("login: root")?;
        self.logged_in()
    }

    /// Waits for the shell of this version of GeminiOS, however often others start before. Nothing is typed there: they may
    /// restart at any moment.
    ///
    /// # Errors
    /// As [`Device::expect`].
    pub fn shell_of(&mut self, version: &str) -> Result<()> {
        let name = format!("GeminiOS {version} ");
        while !self.expect("login: root")?.contains(&name) {}
        self.logged_in()
    }

    fn logged_in(&mut self) -> Result<()> {
        self.expect("# ")?;
        // Its first command goes through no pipe, which would keep the settings to itself.
        self.commands = 0;
        // Long lines must come back as they were sent, without an echo between them.
        self.succeed("stty -echo cols 10000 </dev/tty; PS1=; PS2=; set -o pipefail; dmesg --console-off")
            .map(drop)
    }

    /// Runs a command on the device.
    ///
    /// # Errors
    /// As [`Device::expect`].
    pub fn command(&mut self, command: &str) -> Result<Output> {
        self.commands += 1;
        let n = self.commands;
        // The marks are put together by the shell, so that an echo of the line does not look like them. Whoever writes
        // to a terminal draws on it. `cat` would have to outlive a shell that is set up: no pipe for that first one.
        let through = if n == 1 { "" } else { " | cat" };
        writeln!(
            self.keyboard,
            "echo \"<<\"{n}; {{ {command}\n}} 2>&1 </dev/null{through}; echo \"|$?>>\"{n}"
        )?;
        self.keyboard.flush()?;
        self.expect(&format!("<<{n}\r\n"))?;
        let mut text = self.expect(&format!(">>{n}"))?;
        let status = text.split_off(text.rfind('|').context("no exit status")?);
        let status = status[1..].parse().context("no exit status")?;
        Ok(Output { text: text.replace("\r\n", "\n").trim().to_owned(), status })
    }

    /// Runs a command that must succeed; gives what it printed.
    ///
    /// # Errors
    /// As [`Device::expect`], and when the command fails.
    pub fn succeed(&mut self, command: &str) -> Result<String> {
        let output = self.command(command)?;
        if output.status != 0 {
            bail!("`{command}` ended with {} on the device:\n{}", output.status, output.text);
        }
        Ok(output.text)
    }

    /// Waits until systemd has finished starting; gives its verdict: `running`, `degraded`, …
    ///
    /// # Errors
    /// As [`Device::expect`].
    pub fn settled(&mut self) -> Result<String> {
        Ok(self.command("systemctl is-system-running --wait")?.text)
    }

    /// Types a command and does not wait for its end.
    ///
    /// # Errors
    /// The machine ended.
    pub fn begin(&mut self, command: &str) -> Result<()> {
        writeln!(self.keyboard, "{command}")?;
        Ok(self.keyboard.flush()?)
    }

    /// Restarts the machine from inside and waits for its shell.
    ///
    /// # Errors
    /// As [`Device::expect`].
    pub fn reboot(&mut self) -> Result<()> {
        self.begin("systemctl reboot")?;
        self.shell()
    }

    /// Pulls the plug.
    pub fn power_cut(mut self) {
        self.kill();
    }

    /// All that the console has shown.
    pub fn console(&self) -> String {
        self.screen.text.lock().map(|text| text.0.clone()).unwrap_or_default()
    }

    fn kill(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.kill();
    }
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

/// A folder for a machine's disk, below the project's target folder: disks are large, /tmp may be memory.
///
/// # Errors
/// It cannot be made.
pub fn state(product: &Product) -> Result<tempfile::TempDir> {
    let parent: PathBuf = product.project.join("target/qemu-tests");
    std::fs::create_dir_all(&parent)?;
    Ok(tempfile::TempDir::new_in(parent)?)
}

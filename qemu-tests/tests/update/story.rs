//! What a device does in a story, and what it must say.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use geminios_qemu_tests::{Device, Fleet, Product, state};
use tempfile::TempDir;

/// A device that reaches the repository.
pub struct Updated {
    product: Product,
    options: Vec<String>,
    disk: TempDir,
    device: Device,
}

/// Longest time, in seconds of the device, that a blessing may take: the checks' set time and a slow host.
const PATIENCE: u32 = 600;

impl Updated {
    /// Switches on a new device with this image.
    pub fn power_on(product: Product, fleet: &Fleet) -> Result<Self> {
        Self::on(product, fleet.options())
    }

    /// As [`Updated::power_on`], with this stick in the machine.
    pub fn power_on_with(product: Product, fleet: &Fleet, stick: &Path) -> Result<Self> {
        let stick = format!("--stick={}", stick.to_str().context("not UTF-8")?);
        Self::on(product, [fleet.options(), vec![stick]].concat())
    }

    fn on(product: Product, options: Vec<String>) -> Result<Self> {
        let disk = state(&product)?;
        let device = on(&product, disk.path(), &options)?;
        Ok(Updated { product, options, disk, device })
    }

    /// Waits until this version runs and is blessed.
    pub fn blessed(&mut self, version: &str) -> Result<()> {
        // A stick in the machine is looked at at each start. Meanwhile nobody is told of slots, and no other updater works.
        self.device.settled()?;
        let wait = format!(
            "for i in $(seq {PATIENCE}); do seen=$(geminios-updater status); grep -q '{version}.*blessed' <<<\"$seen\" && break; \
             sleep 2; done; echo \"$seen\"; grep -q '{version}.*blessed' <<<\"$seen\""
        );
        println!("{}", self.device.succeed(&wait)?);
        let running = self.running()?;
        ensure!(running == version, "{running} runs, not {version}");
        Ok(())
    }

    /// Installs, which must arm this version.
    pub fn installs(&mut self, version: &str, options: &str) -> Result<()> {
        let words = self.device.succeed(&format!("geminios-updater install {options}"))?;
        println!("{words}");
        ensure!(words.contains(version), "{words}");
        Ok(())
    }

    /// A verb that must be refused; gives the words.
    pub fn refuses(&mut self, arguments: &str) -> Result<String> {
        let output = self.device.command(&format!("geminios-updater {arguments}"))?;
        println!("{}", output.text);
        if output.status == 0 {
            bail!("`{arguments}` was not refused:\n{}", output.text);
        }
        Ok(output.text)
    }

    /// The version that runs.
    pub fn running(&mut self) -> Result<String> {
        self.device.succeed(". /etc/os-release; echo $IMAGE_VERSION")
    }

    /// Runs a command that must succeed.
    pub fn succeeds(&mut self, command: &str) -> Result<String> {
        self.device.succeed(command)
    }

    pub fn reboots(&mut self) -> Result<()> {
        self.device.reboot()
    }

    /// Restarts into a bad version, and waits until the old one runs again by itself and says why.
    pub fn falls_back_to(&mut self, old: &str, bad: &str, reason: &str) -> Result<()> {
        self.device.begin("systemctl reboot")?;
        self.device.shell_of(old)?;
        let running = self.running()?;
        ensure!(running == old, "{running} runs");
        self.blessed(old)?;
        let words = self.device.succeed("geminios-updater status")?;
        ensure!(words.contains(bad) && words.contains(reason), "{words}");
        Ok(())
    }

    /// Pulls the plug and puts it back.
    pub fn power_cycle(self) -> Result<Self> {
        let Updated { product, options, disk, device } = self;
        device.power_cut();
        let device = on(&product, disk.path(), &options)?;
        Ok(Updated { product, options, disk, device })
    }

    /// Types a command and does not wait for its end.
    pub fn begins(&mut self, command: &str) -> Result<()> {
        self.device.begin(command)
    }
}

fn on(product: &Product, disk: &Path, options: &[String]) -> Result<Device> {
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let mut device = Device::power_on_with(product, disk, &options)?;
    device.shell()?;
    Ok(device)
}

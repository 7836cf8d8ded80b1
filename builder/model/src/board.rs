use schemars::JsonSchema;
use serde::Deserialize;

use crate::{Arch, Diagnostic, Document, Located, Source};

/// What a machine needs to boot.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Board {
    /// Name of the board, the same as its file's.
    pub name: Located<String>,
    /// One line that says which machines these are.
    pub description: String,
    /// Debian architecture.
    pub architecture: Arch,
    /// What starts the boot loader.
    pub firmware: Firmware,
    /// How tries are counted and a slot is chosen.
    pub boot: BootBackend,
    /// Kernel consoles, the last one is /dev/console; as in `console=`.
    pub consoles: Vec<String>,
    /// More words for the kernel command line.
    #[serde(default)]
    pub cmdline: Vec<String>,
    /// Kernel modules the initrd needs to reach the disk, beyond those of the overlays; dependencies are added.
    #[serde(default)]
    pub initrd_modules: Vec<Located<String>>,
    /// How QEMU plays this board.
    pub qemu: Machine,
}

/// What starts the boot loader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Firmware {
    Uefi,
}

/// How tries are counted and a slot is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BootBackend {
    /// Type #2 Boot Loader Specification entries with tries in the file name, counted by systemd-boot.
    BlsCount,
}

/// How QEMU plays a board.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Machine {
    /// Program, such as `qemu-system-x86_64`.
    pub program: String,
    /// `-machine`.
    pub machine: String,
    /// `-cpu` under emulation.
    pub cpu: String,
    /// Firmware code, a path inside the qemu tool set.
    pub firmware_code: String,
    /// Template of the firmware's variable store, a path inside the qemu tool set.
    pub firmware_vars: String,
    /// Watchdog device, as in `-device`.
    pub watchdog: Option<String>,
}

impl Document for Board {
    const KIND: &'static str = "board";

    fn check(&self, source: &Source) -> Result<(), Diagnostic> {
        let stem = source.path().file_stem().and_then(|s| s.to_str()).unwrap_or_default();
        if stem != self.name.as_str() {
            return Err(source
                .complain(
                    self.name.span(),
                    format!("board `{}` stands in a file called `{stem}.toml`", self.name),
                )
                .help(format!("write name = \"{stem}\", or rename the file")));
        }
        if self.consoles.is_empty() {
            return Err(source.complain(self.name.span(), "a board needs at least one console"));
        }
        Ok(())
    }
}

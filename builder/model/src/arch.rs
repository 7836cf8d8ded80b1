use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A processor architecture, by its Debian name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Arch {
    Amd64,
    Arm64,
    Loong64,
    Riscv64,
}

impl Arch {
    /// The architecture this program was compiled for, if Debian has it and we build for it.
    pub fn host() -> Option<Arch> {
        match std::env::consts::ARCH {
            "x86_64" => Some(Arch::Amd64),
            "aarch64" => Some(Arch::Arm64),
            "loongarch64" => Some(Arch::Loong64),
            "riscv64" => Some(Arch::Riscv64),
            _ => None,
        }
    }

    /// Debian's name, as in `dpkg --print-architecture`.
    pub fn debian(self) -> &'static str {
        match self {
            Arch::Amd64 => "amd64",
            Arch::Arm64 => "arm64",
            Arch::Loong64 => "loong64",
            Arch::Riscv64 => "riscv64",
        }
    }

    /// The multiarch tuple, the folder name under /usr/lib.
    pub fn multiarch(self) -> &'static str {
        match self {
            Arch::Amd64 => "x86_64-linux-gnu",
            Arch::Arm64 => "aarch64-linux-gnu",
            Arch::Loong64 => "loongarch64-linux-gnu",
            Arch::Riscv64 => "riscv64-linux-gnu",
        }
    }

    /// The Rust target triple.
    pub fn rust_target(self) -> &'static str {
        match self {
            Arch::Amd64 => "x86_64-unknown-linux-gnu",
            Arch::Arm64 => "aarch64-unknown-linux-gnu",
            Arch::Loong64 => "loongarch64-unknown-linux-gnu",
            Arch::Riscv64 => "riscv64gc-unknown-linux-gnu",
        }
    }

    /// Go's name, as in GOARCH and in the configuration of container images.
    pub fn go(self) -> &'static str {
        self.debian()
    }

    /// The file name of the dynamic loader in [`Arch::multiarch`]'s folder.
    pub fn loader(self) -> &'static str {
        match self {
            Arch::Amd64 => "ld-linux-x86-64.so.2",
            Arch::Arm64 => "ld-linux-aarch64.so.1",
            Arch::Loong64 => "ld-linux-loongarch-lp64d.so.1",
            Arch::Riscv64 => "ld-linux-riscv64-lp64d.so.1",
        }
    }

    /// The suffix of EFI file names (UEFI specification 2.10, section 3.5.1.1), lower case.
    pub fn efi(self) -> &'static str {
        match self {
            Arch::Amd64 => "x64",
            Arch::Arm64 => "aa64",
            Arch::Loong64 => "loongarch64",
            Arch::Riscv64 => "riscv64",
        }
    }

    /// GPT type of a root partition (Discoverable Partitions Specification).
    pub fn root_type(self) -> &'static str {
        match self {
            Arch::Amd64 => "4f68bce3-e8cd-4db1-96e7-fbcaf984b709",
            Arch::Arm64 => "b921b045-1df0-41c3-af44-4c6f280d3fae",
            Arch::Loong64 => "77055800-792c-4f94-b39a-98c91b762bb6",
            Arch::Riscv64 => "72ec70a6-cf74-40e6-bd49-4bda08e8f224",
        }
    }

    /// GPT type of a root verity partition (Discoverable Partitions Specification).
    pub fn root_verity_type(self) -> &'static str {
        match self {
            Arch::Amd64 => "2c7357ed-ebd2-46d9-aec1-23d437ec2bf5",
            Arch::Arm64 => "df3300ce-d69f-4c92-978c-9bfb0f38d820",
            Arch::Loong64 => "f3393b22-e9af-4613-a948-9d3bfbd0c535",
            Arch::Riscv64 => "b6ed5582-440b-4209-b8da-5ff7c419ea3d",
        }
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.debian())
    }
}

impl std::str::FromStr for Arch {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Arch::Amd64, Arch::Arm64, Arch::Loong64, Arch::Riscv64]
            .into_iter()
            .find(|arch| arch.debian() == text)
            .ok_or_else(|| format!("`{text}` is not an architecture that images are built for (amd64, arm64, loong64, riscv64)"))
    }
}

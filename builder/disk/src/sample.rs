//! A small build to write images of, for tests.

use std::path::PathBuf;

use geminios_boot::{EspFile, write_esp};
use geminios_model::{Arch, Located, Sizes};
use geminios_seal::{Region, Sealed, Verity};
use tempfile::TempDir;

use crate::plan::Plan;

/// A folder with an ESP and a sealed root of 300 blocks, and the plan for them.
pub(crate) struct Sample {
    pub dir: TempDir,
    pub sealed: Sealed,
    pub esp: PathBuf,
}

impl Sample {
    pub fn new() -> Self {
        let dir = TempDir::new().expect("a folder");
        let (erofs, verity, esp) =
            (dir.path().join("erofs"), dir.path().join("verity"), dir.path().join("esp"));
        let bytes: Vec<u8> =
            (0..300 * 4096u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        std::fs::write(&erofs, &bytes).expect("written");
        let hashed =
            Verity::write(&Region::whole(&erofs).expect("opened"), [1; 32], &verity).expect("hashed");
        let cmdline = format!("quiet roothash={} console=ttyS0", hashed.root_hash);
        let uki = program(&[
            (b".osrel\0\0", b"ID=geminios\n"),
            (b".cmdline", cmdline.as_bytes()),
            (b".uname\0\0", b"6.12"),
        ]);
        let files = EspFile::for_uefi(Arch::Amd64, "1", uki, b"loader");
        write_esp(&files, 34 << 20, 7, 1_700_000_000, &esp).expect("written");
        let (erofs_size, verity_size) = (bytes.len() as u64, hashed.size());
        let sealed = Sealed { erofs, erofs_size, verity, verity_size, root_hash: hashed.root_hash };
        Sample { dir, sealed, esp }
    }

    pub fn sizes(root: u64) -> Sizes {
        let mib = Located::nowhere;
        Sizes { esp: mib(34), root: mib(root), root_verity: mib(1), config: mib(2), var_min: mib(64) }
    }

    pub fn plan(&self) -> Plan {
        Plan::new("x86-edge", Arch::Amd64, &Sample::sizes(2), &self.sealed, &self.esp).expect("a plan")
    }
}

/// The smallest EFI program with these sections.
fn program(sections: &[(&[u8; 8], &[u8])]) -> Vec<u8> {
    let table = 64 + 4 + 20 + 240;
    let mut out = vec![0; 0x400];
    let put = |out: &mut Vec<u8>, at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
    put(&mut out, 0, b"MZ");
    put(&mut out, 60, &64u32.to_le_bytes());
    put(&mut out, 64, b"PE\0\0\x64\x86");
    put(&mut out, 70, &(sections.len() as u16).to_le_bytes());
    put(&mut out, 84, &240u16.to_le_bytes());
    put(&mut out, 88, &0x20bu16.to_le_bytes());
    put(&mut out, 88 + 108, &16u32.to_le_bytes());
    for (i, (name, data)) in sections.iter().enumerate() {
        let (at, place) = (table + i * 40, out.len() as u32);
        put(&mut out, at, *name);
        put(&mut out, at + 8, &(data.len() as u32).to_le_bytes());
        put(&mut out, at + 16, &(data.len() as u32).to_le_bytes());
        put(&mut out, at + 20, &place.to_le_bytes());
        out.extend(*data);
    }
    out
}

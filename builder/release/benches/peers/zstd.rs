//! `zstd --patch-from` with the whole old image as prefix: needs as much memory as the image is long, on the device too.

use std::path::Path;
use std::process::Command;

use crate::pair::Pair;
use crate::table::Row;

pub fn measure(pair: &Pair, scratch: &Path) -> Result<Row, String> {
    let version = Command::new("zstd").arg("--version").output();
    if !version.is_ok_and(|output| output.status.success()) {
        return Err("zstd is not installed: apt install zstd".to_owned());
    }
    let bytes = [0, 1, 2].map(|image| patch(&pair.old.files[image], &pair.new.files[image], scratch));
    Ok(Row::new("zstd -19 --long=31 --patch-from, whole images", bytes, 0))
}

fn patch(old: &Path, new: &Path, scratch: &Path) -> u64 {
    let out = scratch.join("patch.zst");
    let mut command = Command::new("zstd");
    command.args(["-19", "--long=31", "-q", "-f"]).arg(format!("--patch-from={}", old.display()));
    let output = command.arg(new).arg("-o").arg(&out).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    std::fs::metadata(&out).unwrap().len()
}

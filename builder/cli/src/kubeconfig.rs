//! A machine's kubeconfig, handed to whoever runs the machine.
//!
//! The device writes its administrator's kubeconfig to a port that only a hypervisor can give it. It ends with a line
//! that no half of it has.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::project::write_private;

/// The API server's port.
pub const API: u16 = 6443;
const END: &str = "# end of kubeconfig\n";

/// What to wait for, and where it goes.
pub struct Handover {
    raw: PathBuf,
    file: PathBuf,
    port: u16,
}

impl Handover {
    /// A kubeconfig in the folder `state`, for an API server that is reached at `port`.
    pub fn new(state: &Path, port: u16) -> Self {
        Handover { raw: state.join("kubeconfig.raw"), file: state.join("kubeconfig"), port }
    }

    /// The file that QEMU writes.
    pub fn raw(&self) -> &Path {
        &self.raw
    }

    /// The user's file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Forgets what an earlier machine wrote.
    pub fn begin(&self) -> Result<()> {
        for file in [&self.raw, &self.file] {
            match std::fs::remove_file(file) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("{} cannot be removed", file.display()));
                }
                _ => {}
            }
        }
        // QEMU would make it readable to others.
        write_private(&self.raw, b"")
    }

    /// Bytes that the machine wrote.
    pub fn length(&self) -> u64 {
        self.raw.metadata().map_or(0, |data| data.len())
    }

    /// Writes the user's file once the machine's is whole; whether it did.
    pub fn poll(&self) -> Result<bool> {
        let raw = std::fs::read_to_string(&self.raw).unwrap_or_default();
        let Some(text) = last(&raw) else { return Ok(false) };
        let text =
            text.replace(&format!("https://127.0.0.1:{API}"), &format!("https://127.0.0.1:{}", self.port));
        write_private(&self.file, text.as_bytes())?;
        Ok(true)
    }
}

/// The last whole kubeconfig: a machine that restarts writes another.
fn last(raw: &str) -> Option<&str> {
    let whole = &raw[..raw.rfind(END)?];
    Some(whole.rfind(END).map_or(whole, |at| &whole[at + END.len()..]))
}

#[cfg(test)]
mod tests {
    use super::last;

    #[test]
    fn half_a_kubeconfig_is_none() {
        assert_eq!(last(""), None);
        assert_eq!(last("clusters:\n"), None);
        assert_eq!(last("clusters:\n# end of kubeconfig\n"), Some("clusters:\n"));
    }

    #[test]
    fn of_two_the_last_whole_one_counts() {
        assert_eq!(last("a: 1\n# end of kubeconfig\nb: 2\n# end of kubeconfig\nc"), Some("b: 2\n"));
    }
}

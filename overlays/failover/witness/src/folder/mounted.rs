//! Whether a folder's file system makes a register of it: what the other node wrote must be seen at once.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::Error;

const MOUNT: &str =
    "mount the share with `-o noac,lookupcache=none` (nfs(5)): else what the other node wrote is seen late";
const OTHER: &str = "use NFS, or one of the other witnesses";

pub fn check(folder: &Path) -> Result<(), Error> {
    let place = folder.display().to_string();
    let metadata = match fs::metadata(folder) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(Error::missing(&place)),
        Err(error) => return Err(Error::unreachable(&place, error)),
    };
    let mounts =
        fs::read_to_string("/proc/self/mountinfo").map_err(|error| Error::unreachable(&place, error))?;
    let device = (rustix::fs::major(metadata.dev()), rustix::fs::minor(metadata.dev()));
    judge(&mounts, device).map_err(|(problem, help)| Error::Unfit { place, problem, help })
}

/// `mounts` is /proc/self/mountinfo (proc_pid_mountinfo(5)). A device that it does not list is not judged: btrfs has such.
fn judge(mounts: &str, device: (u32, u32)) -> Result<(), (String, &'static str)> {
    let device = format!("{}:{}", device.0, device.1);
    for line in mounts.lines() {
        let Some((mount, system)) = line.split_once(" - ") else { continue };
        if mount.split(' ').nth(2) != Some(&device) {
            continue;
        }
        let mut fields = system.split(' ');
        let kind = fields.next().unwrap_or_default();
        let options: Vec<&str> = fields.nth(1).unwrap_or_default().split(',').collect();
        let fresh =
            options.contains(&"noac") || ["acdirmax=0", "acregmax=0"].iter().all(|o| options.contains(o));
        match kind {
            "nfs" | "nfs4" if !fresh => {
                return Err(("it is mounted with cached attributes".to_owned(), MOUNT));
            }
            "cifs" | "smb3" | "9p" => {
                return Err((format!("it is on {kind}, which is not known to link exclusively"), OTHER));
            }
            _ if kind.starts_with("fuse") => {
                return Err((format!("it is on {kind}, which is not known to link exclusively"), OTHER));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts() {
        let line = |kind: &str, options: &str| {
            format!("36 35 0:52 / /mnt/witness rw,noatime shared:1 - {kind} server:/export {options}\n")
        };
        for (kind, options, good) in [
            ("nfs4", "rw,vers=4.2,noac,lookupcache=none", true),
            ("nfs", "rw,vers=3,acregmin=0,acregmax=0,acdirmin=0,acdirmax=0", true),
            ("nfs", "rw,vers=3", false),
            ("nfs4", "rw,vers=4.2,acregmax=0", false),
            ("nfs4", "rw,vers=4.2,lookupcache=none", false),
            ("ext4", "rw", true),
            ("cifs", "rw", false),
            ("fuse.sshfs", "rw", false),
        ] {
            assert_eq!(judge(&line(kind, options), (0, 52)).is_ok(), good, "{kind} {options}");
            assert!(judge(&line(kind, options), (8, 1)).is_ok(), "another device");
        }
    }
}

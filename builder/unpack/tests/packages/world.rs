//! A cache to unpack into, and what became of it.

use std::path::PathBuf;

use geminios_fetch::{Blob, Steps, Store};
use geminios_model::Digest;
use geminios_unpack::{MemberKind, Package, UnpackError, unpack};
use tempfile::TempDir;

pub struct World {
    pub dir: TempDir,
    pub store: Store,
    pub steps: Steps,
}

impl World {
    pub fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let cache = dir.path().join("cache");
        let (store, steps) = (Store::open(&cache).unwrap(), Steps::open(&cache).unwrap());
        World { dir, store, steps }
    }

    /// A package as fetched, but outside the store, so that all that is in there was unpacked.
    pub fn blob(&self, deb: &[u8]) -> Blob {
        let path: PathBuf = self.dir.path().join("the.deb");
        std::fs::write(&path, deb).unwrap();
        Blob { digest: Digest::of(deb), size: deb.len() as u64, path }
    }

    pub fn unpack(&self, deb: &[u8]) -> Result<Package, UnpackError> {
        unpack(&self.store, &self.steps, &self.blob(deb))
    }

    /// Whether a package counts as unpacked.
    pub fn knows(&self, deb: &[u8]) -> bool {
        self.steps.get("unpack", &Digest::of(deb)).is_some()
    }

    /// What is wrong with a package, as people read it: the message without its remedy.
    pub fn refusal(&self, deb: &[u8]) -> String {
        let error = self.unpack(deb).expect_err("a hostile package was unpacked");
        assert!(matches!(error, UnpackError::Hostile { .. }), "{error:?}");
        assert!(!self.knows(deb), "a refused package counts as unpacked: {error}");
        let text = error.to_string();
        let (fault, help) = text.split_once("\n  help: ").unwrap();
        assert_eq!(help, "dpkg-deb makes no such package; do not use the archive it came from");
        assert!(!fault.contains(char::is_control), "a message with control characters: {fault:?}");
        fault.replace(&self.dir.path().display().to_string(), "")
    }

    /// As [`World::refusal`]; and nothing at all is left of the package.
    pub fn refusal_without_trace(&self, deb: &[u8]) -> String {
        let fault = self.refusal(deb);
        assert_eq!(self.store.size().unwrap(), 0, "left in the store: {fault}");
        fault
    }
}

/// The members of a package, a line each, with the bytes of files.
pub fn listing(package: &Package) -> String {
    let data = std::fs::read(&package.data.path).unwrap();
    let line = |member: &geminios_unpack::Member| {
        let what = match &member.kind {
            MemberKind::Directory => "folder".to_owned(),
            MemberKind::File { offset, size } => {
                format!("{:?}", String::from_utf8_lossy(&data[*offset as usize..(offset + size) as usize]))
            }
            MemberKind::Symlink(target) => format!("-> {target}"),
            MemberKind::Hardlink(target) => format!("= {target}"),
        };
        format!("{} {:04o} {}:{} {} {what}\n", member.path, member.mode, member.uid, member.gid, member.mtime)
    };
    package.members.iter().map(line).collect()
}

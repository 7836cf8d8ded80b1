//! Signing with what is at hand.

use std::path::{Path, PathBuf};

use ed25519_dalek::{Signer as _, SigningKey};
use geminios_update_format::key::PublicKey;
use geminios_update_format::metadata::{Body, RoleName, Root};
use geminios_update_format::write::Unsigned;

use crate::error::ReleaseError;
use crate::keys::folder::{files, role_of};
use crate::keys::{command, file};

/// One key that can sign.
#[derive(Debug)]
pub struct Signer {
    pub path: PathBuf,
    pub role: RoleName,
    pub public: PublicKey,
    /// It was replaced.
    pub old: bool,
    how: How,
}

#[derive(Debug)]
enum How {
    File(Box<SigningKey>),
    Command(Vec<String>),
}

/// Where a private key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    File,
    Command,
}

impl Signer {
    pub(super) fn read(path: &Path, role: RoleName, old: bool) -> Result<Self, ReleaseError> {
        let (public, how) = if path.extension().is_some_and(|extension| extension == "toml") {
            let (public, command) = command::read(path)?;
            (public, How::Command(command))
        } else {
            let key = file::read(path)?;
            let public = PublicKey::from_bytes(key.verifying_key().as_bytes());
            let why = || "its public half is no point of the curve".to_owned();
            let public = public.ok_or_else(|| ReleaseError::Key { path: path.to_owned(), why: why() })?;
            (public, How::File(Box::new(key)))
        };
        Ok(Signer { path: path.to_owned(), role, public, old, how })
    }

    pub fn place(&self) -> Place {
        match self.how {
            How::File(_) => Place::File,
            How::Command(_) => Place::Command,
        }
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], ReleaseError> {
        match &self.how {
            How::File(key) => Ok(key.sign(message).to_bytes()),
            How::Command(words) => command::sign(&self.path.display().to_string(), words, message),
        }
    }
}

/// The keys at hand.
#[derive(Debug, Default)]
pub struct Keys(pub Vec<Signer>);

impl Keys {
    /// All keys of a folder, and of `old/` in it.
    pub fn open(folder: &Path) -> Result<Self, ReleaseError> {
        let mut keys = Vec::new();
        for (path, old) in files(folder)? {
            keys.push(Signer::read(&path, role_of(&path)?, old)?);
        }
        Ok(Keys(keys))
    }

    /// Those of another folder too.
    pub fn and(mut self, other: Keys) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Adds the signatures of all keys at hand that `root` names for the role. How many there are is for `finish` to judge.
    pub(crate) fn sign<T: Body>(
        &self,
        unsigned: &mut Unsigned<T>,
        root: &Root,
    ) -> Result<usize, ReleaseError> {
        let message = unsigned.signing_bytes();
        let mut added = 0;
        for id in &root.role(T::ROLE).keyids {
            let Some(key) = root.key(id) else { continue };
            let signer = self.0.iter().find(|signer| signer.public == *key);
            if let Some(signer) = signer {
                unsigned.add(id, key, &signer.sign(&message)?)?;
                added += 1;
            }
        }
        Ok(added)
    }

    /// A file signed by enough keys of `root`.
    pub(crate) fn finish<T: Body>(
        &self,
        unsigned: &mut Unsigned<T>,
        root: &Root,
    ) -> Result<Vec<u8>, ReleaseError> {
        self.require(root, T::ROLE)?;
        self.sign(unsigned, root)?;
        Ok(unsigned.finish(root)?)
    }

    /// Refuses before any work if too few keys of a role are at hand.
    pub(crate) fn require(&self, root: &Root, name: RoleName) -> Result<(), ReleaseError> {
        let role = root.role(name);
        let keys = role.keyids.iter().filter_map(|id| root.key(id));
        let available = keys.filter(|key| self.0.iter().any(|signer| signer.public == **key)).count();
        if (available as u64) < role.threshold {
            return Err(ReleaseError::TooFewKeys {
                role: name.as_str(),
                threshold: role.threshold,
                available,
            });
        }
        Ok(())
    }

    /// Public halves of the keys that the next root names for a role.
    pub(crate) fn current(&self, role: RoleName) -> Vec<PublicKey> {
        self.0
            .iter()
            .filter(|signer| signer.role == role && !signer.old)
            .map(|signer| signer.public)
            .collect()
    }
}

//! The blob that was cut when a run ended: it is kept, so that a budget smaller than one blob comes to an end too.

use std::path::PathBuf;

use geminios_update_format::Digest;

use crate::supply::{Want, keep};

/// Bytes below which it is not worth a write.
const LEAST: usize = 16 << 10;
const DIGEST: usize = 32;

/// One file: the digest of the blob, then its first bytes. They are checked with the rest of it.
pub struct Parts {
    file: PathBuf,
}

impl Parts {
    pub fn in_file(file: PathBuf) -> Self {
        Parts { file }
    }

    /// What was kept of a blob; from then on it is not there any more.
    pub fn take(&self, want: &Want) -> Vec<u8> {
        let kept = std::fs::metadata(&self.file).ok().filter(|file| file.len() <= want.blob.size);
        let bytes = kept.filter(|_| want.is_all()).and_then(|_| std::fs::read(&self.file).ok());
        let Some((digest, bytes)) = bytes.as_ref().and_then(|bytes| bytes.split_at_checked(DIGEST)) else {
            return Vec::new();
        };
        if digest != want.blob.sha256.0 {
            return Vec::new();
        }
        let _ = std::fs::remove_file(&self.file);
        bytes.to_vec()
    }

    /// It saves bytes only, so it may fail.
    pub fn keep(&self, want: &Want, bytes: &[u8]) {
        let Digest(digest) = want.blob.sha256;
        // All of it would leave nothing to ask for.
        if want.is_all() && bytes.len() >= LEAST && (bytes.len() as u64) < want.blob.size {
            let _ = keep(&self.file, &[&digest, bytes].concat());
        }
    }
}

//! A private key in a file.
//!
//! PKCS#8 of an ed25519 key is 16 bytes that never change, then the 32 bytes of the key (RFC 8410, section 7; version 1, which every
//! OpenSSL reads and writes). Nothing else is read.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;

use crate::error::ReleaseError;

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----\n";
const END: &str = "\n-----END PRIVATE KEY-----\n";
const PREFIX: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/// Writes a new key. An existing file is an error: a key that is lost cannot be made again.
pub fn generate(path: &Path) -> Result<(), ReleaseError> {
    let mut secret = [0; 32];
    let no_random =
        |error: getrandom::Error| ReleaseError::Key { path: path.to_owned(), why: error.to_string() };
    getrandom::fill(&mut secret).map_err(no_random)?;
    let text = format!("{BEGIN}{}{END}", STANDARD.encode([&PREFIX[..], &secret].concat()));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = file.map_err(ReleaseError::io(path))?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(ReleaseError::io(path))
}

/// Reads a key that nobody else can read.
pub fn read(path: &Path) -> Result<SigningKey, ReleaseError> {
    let mode = fs::metadata(path).map_err(ReleaseError::io(path))?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(ReleaseError::Readable { path: path.to_owned(), mode });
    }
    let text = fs::read_to_string(path).map_err(ReleaseError::io(path))?;
    let bytes = text.strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END));
    let bytes = bytes.and_then(|text| STANDARD.decode(text).ok());
    let secret =
        bytes.as_deref().and_then(|bytes| bytes.strip_prefix(&PREFIX)).and_then(|key| key.try_into().ok());
    let why = || "it is no PKCS#8 PEM of an ed25519 key".to_owned();
    let secret: [u8; 32] = secret.ok_or_else(|| ReleaseError::Key { path: path.to_owned(), why: why() })?;
    Ok(SigningKey::from_bytes(&secret))
}

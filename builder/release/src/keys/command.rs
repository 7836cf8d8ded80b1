//! A key behind a command.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use geminios_update_format::key::PublicKey;
use serde::Deserialize;

use crate::error::ReleaseError;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    public: String,
    command: Vec<String>,
}

/// Reads `ROLE-NAME.toml`.
pub fn read(path: &Path) -> Result<(PublicKey, Vec<String>), ReleaseError> {
    let wrong = |why: String| ReleaseError::Signer { path: path.to_owned(), why };
    let text = std::fs::read_to_string(path).map_err(ReleaseError::io(path))?;
    let raw: Raw = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    let key = bytes::<32>(&raw.public).and_then(|bytes| PublicKey::from_bytes(&bytes));
    let key = key.ok_or_else(|| wrong(format!("`public` is no ed25519 key: {:?}", raw.public)))?;
    if raw.command.is_empty() {
        return Err(wrong("`command` is empty".to_owned()));
    }
    Ok((key, raw.command))
}

/// Has bytes signed. The signature is not checked here: whoever adds it to a file does.
pub fn sign(key: &str, command: &[String], message: &[u8]) -> Result<[u8; 64], ReleaseError> {
    let wrong = |why: String| ReleaseError::Command { key: key.to_owned(), why };
    let mut child = Command::new(&command[0])
        .args(&command[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| wrong(format!("`{}` cannot be run: {error}", command[0])))?;
    // A thread of its own: a command may print before it has read all. One that does not read at all may still sign.
    let input = child.stdin.take();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || input.map(|mut input| input.write_all(message)));
        child.wait_with_output()
    });
    let output = output.map_err(|error| wrong(format!("`{}` failed: {error}", command[0])))?;
    if !output.status.success() {
        return Err(wrong(format!("`{}` ended with {}", command[0], output.status)));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    bytes(text.trim()).ok_or_else(|| {
        wrong(format!("`{}` printed {} bytes that are no signature", command[0], output.stdout.len()))
    })
}

/// Hexadecimal or base64, exactly `N` bytes.
fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() == 2 * N && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let digit = |at: usize| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok();
        let bytes: Option<Vec<u8>> = (0..N).map(digit).collect();
        return bytes?.try_into().ok();
    }
    STANDARD.decode(text).ok()?.try_into().ok()
}

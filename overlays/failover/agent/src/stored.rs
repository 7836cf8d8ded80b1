//! The record on disk. One line `geminios-failover 1 SHA256`, then JSON whose sum that is: a torn file is noticed.

use geminios_failover_core::Stored;
use sha2::{Digest as _, Sha256};

const MAGIC: &str = "geminios-failover";
const FORMAT: &str = "1";

/// Why a file is no record. A node must not guess: what it forgets could make two nodes lead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoredError {
    #[error("it is not a record of the failover agent")]
    Foreign,
    #[error(
        "it has format {0}; this program knows format {FORMAT}\n  help: run the newer version that wrote it"
    )]
    Newer(String),
    #[error(
        "it is damaged: its checksum is wrong\n  help: move it away; the node then starts as a new one and takes everything \
         from the other node"
    )]
    Damaged,
}

/// # Errors
/// See [`StoredError`].
pub fn read(bytes: &[u8]) -> Result<Stored, StoredError> {
    let text = std::str::from_utf8(bytes).map_err(|_| StoredError::Damaged)?;
    let (head, body) = text.split_once('\n').ok_or(StoredError::Damaged)?;
    let mut words = head.split(' ');
    if words.next() != Some(MAGIC) {
        return Err(StoredError::Foreign);
    }
    let format = words.next().unwrap_or_default();
    if format != FORMAT {
        return Err(StoredError::Newer(format.to_owned()));
    }
    if words.next() != Some(&sum(body)) || words.next().is_some() {
        return Err(StoredError::Damaged);
    }
    serde_json::from_str(body).map_err(|_| StoredError::Damaged)
}

#[must_use]
pub fn write(stored: &Stored) -> Vec<u8> {
    let body = serde_json::to_string(stored).unwrap_or_default();
    format!("{MAGIC} {FORMAT} {}\n{body}", sum(&body)).into_bytes()
}

fn sum(body: &str) -> String {
    Sha256::digest(body.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

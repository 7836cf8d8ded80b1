//! Keys that sign metadata.
//!
//! A folder holds what one person or machine signs with, one file a key. Its name says the role, then anything:
//!
//! - `root-1.pem`: an ed25519 key as PKCS#8 PEM (RFC 8410), mode 0600, as `openssl genpkey -algorithm ed25519` writes it.
//! - `root-alice.toml`: a key that is elsewhere. `public` is its public half, 64 hexadecimal digits; `command` is a program with
//!   arguments that gets the bytes to sign on standard input and prints the signature, hexadecimal or base64.
//! - `old/`: keys that were replaced. They sign the root that ends their trust, and nothing else.
//!
//! The keys outside `old/` are those that the next root names. Keys of a role may lie in several folders on several machines.

mod command;
mod file;
mod folder;
mod signer;

pub use folder::{FIRST_ROOT, KeyInfo, init, list, renew};
pub use geminios_update_format::metadata::RoleName;
pub use signer::{Keys, Place, Signer};

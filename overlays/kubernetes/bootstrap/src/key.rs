//! Private keys, all of ECDSA P-256, as PKCS#8 in PEM.

use p256::pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey, LineEnding};
use p256::{PublicKey, SecretKey};
use rand_core::OsRng;

use crate::Error;

/// A new key. Waits for the kernel's random numbers, which early in a boot may not be ready.
pub fn new() -> SecretKey {
    SecretKey::random(&mut OsRng)
}

/// A key that is whole. "EC PRIVATE KEY" is taken too, as openssl and kubeadm write it.
pub fn read(text: &[u8]) -> Option<SecretKey> {
    let text = std::str::from_utf8(text).ok()?;
    SecretKey::from_pkcs8_pem(text).or_else(|_| SecretKey::from_sec1_pem(text)).ok()
}

/// "PRIVATE KEY".
pub fn private_text(key: &SecretKey) -> Result<String, Error> {
    let text = key.to_pkcs8_pem(LineEnding::LF).map_err(Error::make("a private key"))?;
    Ok(text.as_str().to_owned())
}

/// "PUBLIC KEY".
pub fn public_text(key: &PublicKey) -> Result<String, Error> {
    key.to_public_key_pem(LineEnding::LF).map_err(Error::make("a public key"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_in_both_forms() {
        let key = new();
        assert_eq!(read(private_text(&key).unwrap().as_bytes()).unwrap(), key);
        assert_eq!(read(key.to_sec1_pem(LineEnding::LF).unwrap().as_bytes()).unwrap(), key);
    }

    #[test]
    fn a_damaged_key_is_none() {
        let text = private_text(&new()).unwrap();
        for damaged in [&text[..text.len() / 2], &text.replace("PRIVATE", "PUBLIC"), "", "\0\0\0\0"] {
            assert!(read(damaged.as_bytes()).is_none(), "{damaged}");
        }
        assert!(read(&[0xff; 100]).is_none());
    }
}

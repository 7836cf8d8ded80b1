//! The key that encrypts secrets in the database. It is never replaced: what it encrypted would be lost.

use base64ct::{Base64, Encoding};
use rand_core::{OsRng, RngCore};

/// Its path below the root.
pub const FILE: &str = "encryption.yaml";

/// secretbox (XSalsa20 and Poly1305) takes 32 bytes.
const KEY_BYTES: usize = 32;

/// A configuration with a new key. `identity` reads what was stored before there was encryption.
pub fn new() -> String {
    let mut key = [0; KEY_BYTES];
    OsRng.fill_bytes(&mut key);
    let key = Base64::encode_string(&key);
    format!(
        "\
apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
- resources:
  - secrets
  providers:
  - secretbox:
      keys:
      - name: key1
        secret: {key}
  - identity: {{}}
"
    )
}

/// What is wrong with a configuration, which an administrator may have changed, such as for other keys.
pub fn fault(bytes: &[u8]) -> Option<&'static str> {
    let Ok(text) = std::str::from_utf8(bytes) else { return Some("it is not text") };
    let lines = || text.lines().map(|line| line.trim().trim_start_matches("- ").trim());
    let mut keys = lines().filter_map(|line| line.strip_prefix("secret:")).peekable();
    if !text.ends_with('\n') || text.contains('\0') {
        Some("it ends early or has bytes that are no text")
    } else if !lines().any(|line| line == "kind: EncryptionConfiguration") {
        Some("it has no line `kind: EncryptionConfiguration`")
    } else if !lines()
        .any(|line| line == "secrets" || line.starts_with("resources: [") && line.contains("secrets"))
    {
        Some("it does not name secrets")
    } else if keys.peek().is_none() {
        Some("it has no key")
    } else if !keys.all(is_key) {
        Some("a key is not base64 of 32 bytes")
    } else {
        None
    }
}

fn is_key(value: &str) -> bool {
    let value = value.trim().trim_matches('"');
    Base64::decode_vec(value).is_ok_and(|key| key.len() == KEY_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_one_is_sound_and_each_differs() {
        assert_eq!(fault(new().as_bytes()), None);
        assert_ne!(new(), new());
    }

    #[test]
    fn an_administrators_second_key_is_no_damage() {
        let key = Base64::encode_string(&[7; 32]);
        let second = format!("      - name: key2\n        secret: \"{key}\"\n      - name: key1\n");
        let changed = new().replace("      - name: key1\n", &second);
        assert_eq!(fault(changed.as_bytes()), None, "{changed}");
        let short = changed.replace("- resources:\n  - secrets\n", "- resources: [\"secrets\"]\n");
        assert_eq!(fault(short.as_bytes()), None, "{short}");
    }

    #[test]
    fn damage_is_noticed() {
        let sound = new();
        for (damaged, expected) in [
            (String::new(), "it ends early or has bytes that are no text"),
            (sound[..sound.len() - 1].to_owned(), "it ends early or has bytes that are no text"),
            (sound.replace("kind", "kin\0"), "it ends early or has bytes that are no text"),
            (sound.replace("kind", "kimd"), "it has no line `kind: EncryptionConfiguration`"),
            (sound.replace("- secrets", "- pods"), "it does not name secrets"),
            (sound.replace("secret:", "secre:"), "it has no key"),
            (sound.replace("secret: ", "secret: A"), "a key is not base64 of 32 bytes"),
        ] {
            assert_eq!(fault(damaged.as_bytes()), Some(expected), "{damaged}");
        }
        assert_eq!(fault(&[0xff, b'\n']), Some("it is not text"));
    }
}

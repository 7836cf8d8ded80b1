//! kubeconfigs, as kubeadm writes them: a cluster, a user, and all certificates inside.

use base64ct::{Base64, Encoding};

/// Every part of a node asks the API server of that node.
pub const SERVER: &str = "https://127.0.0.1:6443";

const CERTIFICATE: &str = "    client-certificate-data: ";
const KEY: &str = "    client-key-data: ";

/// The text of a kubeconfig; the last three are PEM.
pub fn text(user: &str, authority: &str, certificate: &str, key: &str) -> String {
    let [authority, certificate, key] =
        [authority, certificate, key].map(|pem| Base64::encode_string(pem.as_bytes()));
    format!(
        "\
apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: {authority}
    server: {SERVER}
  name: kubernetes
contexts:
- context:
    cluster: kubernetes
    user: {user}
  name: {user}@kubernetes
current-context: {user}@kubernetes
kind: Config
users:
- name: {user}
  user:
{CERTIFICATE}{certificate}
{KEY}{key}
"
    )
}

/// PEM of the user in a kubeconfig.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Held {
    pub certificate: Option<Vec<u8>>,
    pub key: Option<Vec<u8>>,
}

/// What is inside; what cannot be decoded is left out.
pub fn parse(text: &[u8]) -> Held {
    let text = String::from_utf8_lossy(text);
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key))?;
        Base64::decode_vec(line).ok()
    };
    Held { certificate: value(CERTIFICATE), key: value(KEY) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        let text = text("system:node:a", "CA", "CERT\n", "KEY\n");
        let expected = Held { certificate: Some(b"CERT\n".to_vec()), key: Some(b"KEY\n".to_vec()) };
        assert_eq!(parse(text.as_bytes()), expected);
        assert!(
            text.contains("\n    certificate-authority-data: Q0E=\n    server: https://127.0.0.1:6443\n")
        );
        assert!(text.contains("\ncurrent-context: system:node:a@kubernetes\n"));
    }

    #[test]
    fn damage_leaves_nothing() {
        for damaged in [&b""[..], b"\xff\0", b"    client-key-data: Q\n", b"client-key-data: Q0E=\n"] {
            assert_eq!(parse(damaged), Held::default());
        }
    }
}

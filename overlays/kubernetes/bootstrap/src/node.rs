//! The node's name and address, and node.env, which keeps both for the units that read it.

use std::net::Ipv4Addr;

/// Its path below the root.
pub const FILE: &str = "node.env";

/// How many digits of the machine-id a name has.
const DIGITS: usize = 8;

/// What certificates say of this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// `NODE_NAME`, which the API knows it by.
    pub name: String,
    /// `NODE_IP`.
    pub ip: Ipv4Addr,
    /// What the kernel calls the machine; every device may have the same.
    pub host: String,
}

impl Node {
    /// Content of node.env.
    pub fn env(&self) -> String {
        format!("NODE_NAME={}\nNODE_IP={}\n", self.name, self.ip)
    }
}

/// What a node.env that is there says; what is damaged in it is left out.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Known {
    pub name: Option<String>,
    pub ip: Option<Ipv4Addr>,
}

impl Known {
    /// Only whole lines count: half a name is a name too.
    pub fn parse(text: &[u8]) -> Known {
        let text = String::from_utf8_lossy(text);
        let value = |key: &str| {
            let line = text.split_inclusive('\n').find_map(|line| line.strip_suffix('\n')?.strip_prefix(key));
            line.map(str::to_owned)
        };
        Known {
            name: value("NODE_NAME=").filter(|name| is_label(name)),
            ip: value("NODE_IP=").and_then(|ip| ip.parse().ok()),
        }
    }
}

/// The name that a machine-id makes.
pub fn name(machine_id: &str) -> Option<String> {
    let digits = machine_id.get(..DIGITS)?;
    let is_hex = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_hex.then(|| format!("geminios-{digits}"))
}

/// Whether Kubernetes takes it as a name (RFC 1123).
pub fn is_label(name: &str) -> bool {
    let inner = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'-');
    (1..=63).contains(&name.len())
        && name.bytes().all(inner)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// Whether it can stand in a certificate: labels with dots between them.
pub fn is_dns_name(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_made_of_the_machine_id() {
        let cases = [
            ("0123456789abcdef0123456789abcdef\n", Some("geminios-01234567")),
            ("uninitialized\n", None),
            ("0123", None),
            ("0123456G89abcdef", None),
            ("", None),
        ];
        for (id, expected) in cases {
            assert_eq!(name(id).as_deref(), expected, "{id}");
        }
    }

    #[test]
    fn node_env_comes_back() {
        let node = Node { name: "geminios-0a".into(), ip: Ipv4Addr::new(192, 168, 1, 7), host: "x".into() };
        assert_eq!(node.env(), "NODE_NAME=geminios-0a\nNODE_IP=192.168.1.7\n");
        let known = Known::parse(node.env().as_bytes());
        assert_eq!(known, Known { name: Some(node.name), ip: Some(node.ip) });
    }

    #[test]
    fn what_is_cut_short_or_garbled_is_not_known() {
        for text in
            ["NODE_NAME=geminios-0", "NODE_NAME=-a\n", "NODE_NAME=A b\n", "NODE_NAME=\n", "NODE_NAME=\0\n"]
        {
            assert_eq!(Known::parse(text.as_bytes()), Known::default(), "{text:?}");
        }
        let known = Known::parse(b"NODE_NAME=a\nNODE_IP=1.2.3\n");
        assert_eq!(known, Known { name: Some("a".into()), ip: None });
    }

    #[test]
    fn host_names_that_certificates_can_have() {
        for (name, expected) in
            [("geminios", true), ("a.b-c", true), ("(none)", false), ("", false), ("a..b", false)]
        {
            assert_eq!(is_dns_name(name), expected, "{name}");
        }
    }
}

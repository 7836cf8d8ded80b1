//! How soon Patroni takes a leader for lost.

use std::fmt;

use anyhow::{Result, bail};

/// In seconds; Patroni has no fractions of one. Its rule: `loop_wait` + 2 × `retry_timeout` ≤ `ttl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    pub name: &'static str,
    pub ttl: u32,
    pub loop_wait: u32,
    pub retry_timeout: u32,
}

pub const ALL: [Lease; 3] = [
    // The shortest that holds, as near to our 2 s as can be: with etcd's third interface each call has to have a second left, so a
    // retry_timeout of 1 s never gets the lease back; and a leader that names its standby pauses for 2 s, in which a lease of 2 s ends.
    // Patroni since 3.2 raises it to the next one.
    Lease { name: "shortest", ttl: 5, loop_wait: 1, retry_timeout: 2 },
    // The least of each that Patroni documents, and enforces since 3.2.
    Lease { name: "least", ttl: 20, loop_wait: 1, retry_timeout: 3 },
    Lease { name: "default", ttl: 30, loop_wait: 10, retry_timeout: 10 },
];

/// These, or all.
///
/// # Errors
/// There is none of a name.
pub fn named(names: &[&str]) -> Result<Vec<Lease>> {
    if let Some(name) = names.iter().find(|name| ALL.iter().all(|lease| lease.name != **name)) {
        bail!("there is no lease `{name}`\n  help: {}", ALL.map(|lease| lease.name).join(", "));
    }
    Ok(ALL.into_iter().filter(|lease| names.is_empty() || names.contains(&lease.name)).collect())
}

impl fmt::Display for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Lease { ttl, loop_wait, retry_timeout, .. } = self;
        write!(f, "ttl {ttl} s, loop_wait {loop_wait} s, retry_timeout {retry_timeout} s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_keeps_patronis_rule() {
        for lease in ALL {
            assert!(lease.loop_wait + 2 * lease.retry_timeout <= lease.ttl, "{lease}");
        }
    }

    #[test]
    fn names() {
        assert_eq!(named(&[]).unwrap(), ALL);
        assert_eq!(named(&["default"]).unwrap(), [ALL[2]]);
        assert!(named(&["none"]).is_err());
    }
}

//! The management port of one node.

use std::net::Ipv6Addr;
use std::time::Duration;

use anyhow::{Result, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use ureq::http::Response;
use ureq::{Agent, Body};

use super::{Credentials, Seen, Trouble};

const DEFAULT: u16 = 7443;
const CONNECT: Duration = Duration::from_secs(5);
/// More than the node waits for its agent.
const ANSWER: Duration = Duration::from_secs(15);
/// Bytes of an answer.
const LIMIT: u64 = 1 << 20;

pub struct Port<'a> {
    /// As the user called the node.
    pub node: String,
    authority: String,
    agent: Agent,
    credentials: &'a Credentials,
}

impl<'a> Port<'a> {
    /// # Errors
    /// `node` names no place.
    pub fn new(node: &str, credentials: &'a Credentials) -> Result<Self> {
        let config = Agent::config_builder()
            .timeout_connect(Some(CONNECT))
            .timeout_resolve(Some(CONNECT))
            .timeout_global(Some(ANSWER))
            .http_status_as_error(false)
            .max_redirects(0)
            .tls_config(credentials.tls.clone())
            // A node is in the site's own network.
            .proxy(None)
            .https_only(true)
            .user_agent(concat!("geminios/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Port { node: node.to_owned(), authority: authority(node)?, agent: config.into(), credentials })
    }

    /// # Errors
    /// There is no answer, or it is none of a node.
    pub fn status(&self) -> Result<Seen, Trouble> {
        self.take(self.agent.get(self.address("/v1/status")).call())
    }

    /// # Errors
    /// It does not begin, and why.
    pub fn hand_over(&self) -> Result<Begun, Trouble> {
        self.take(self.agent.post(self.address("/v1/hand-over")).send_empty())
    }

    fn address(&self, path: &str) -> String {
        format!("https://{}{path}", self.authority)
    }

    fn take<T: DeserializeOwned>(&self, response: Result<Response<Body>, ureq::Error>) -> Result<T, Trouble> {
        let trouble = |error: ureq::Error| Trouble::of(&self.node, self.credentials, &error);
        let mut response = response.map_err(trouble)?;
        let text = response.body_mut().with_config().limit(LIMIT).read_to_vec().map_err(trouble)?;
        let foreign = |why: String| Trouble::Foreign { node: self.node.clone(), why };
        if !response.status().is_success() {
            let Ok(no) = serde_json::from_slice::<No>(&text) else {
                return Err(foreign(format!("it answers {}", response.status())));
            };
            let help = no.help.map(|help| format!("\n  help: {help}")).unwrap_or_default();
            let (node, said) = (self.node.clone(), no.error + &help);
            return Err(match response.status().as_u16() {
                401 | 403 => Trouble::Denied { node, said },
                _ => Trouble::Said { node, said },
            });
        }
        serde_json::from_slice(&text)
            .map_err(|error| foreign(format!("its answer is not understood: {error}")))
    }
}

/// What a node says to a hand-over that it begins.
#[derive(Debug, Deserialize)]
pub struct Begun {
    /// The one that ends.
    pub epoch: u64,
}

#[derive(Deserialize)]
struct No {
    error: String,
    help: Option<String>,
}

/// HOST, HOST:PORT, an address of IPv6 with or without brackets.
fn authority(node: &str) -> Result<String> {
    if node.parse::<Ipv6Addr>().is_ok() {
        return Ok(format!("[{node}]:{DEFAULT}"));
    }
    let (host, port) = match node.rsplit_once(':') {
        Some((host, port)) if !node.ends_with(']') => (host, port.parse().ok()),
        _ => (node, Some(DEFAULT)),
    };
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_host = match inner {
        Some(inner) => inner.parse::<Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.chars().all(|c| c.is_alphanumeric() || "-._".contains(c)),
    };
    match port.filter(|port| *port > 0 && is_host) {
        Some(port) => Ok(format!("{host}:{port}")),
        None => {
            bail!("`{node}` is no node\n  help: give HOST or HOST:PORT, such as 192.0.2.11 or edge-1:7443")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_node_is() {
        for (node, is) in [
            ("192.0.2.11", "192.0.2.11:7443"),
            ("edge-1.example:443", "edge-1.example:443"),
            ("2001:db8::11", "[2001:db8::11]:7443"),
            ("[2001:db8::11]", "[2001:db8::11]:7443"),
            ("[2001:db8::11]:443", "[2001:db8::11]:443"),
        ] {
            assert_eq!(authority(node).unwrap(), is);
        }
        for node in
            ["", ":443", "edge-1:", "edge-1:x", "edge-1:0", "https://edge-1", "a/b", "u@edge-1", "[x]:443"]
        {
            assert!(authority(node).is_err(), "{node}");
        }
    }
}

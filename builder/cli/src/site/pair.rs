//! Both nodes of a site, asked at one time.

use anyhow::{Result, bail};

use super::{Credentials, Port, Seen, Trouble};

/// One of the two, and what it said.
pub struct Node<'a> {
    pub port: Port<'a>,
    /// Its name in Kubernetes, where somebody told it.
    pub name: String,
    pub seen: Result<Seen, Trouble>,
}

pub struct Pair<'a> {
    pub nodes: [Node<'a>; 2],
}

impl<'a> Pair<'a> {
    /// # Errors
    /// Neither says where the other one is, or they are not a pair.
    pub fn ask(node: &str, other: Option<&str>, credentials: &'a Credentials) -> Result<Self> {
        let port = Port::new(node, credentials)?;
        let seen = port.status();
        let second = match (other, &seen) {
            (Some(other), _) => other.to_owned(),
            (None, Ok(seen)) => seen.peer.address.clone(),
            (None, Err(trouble)) if trouble.is_of_node() => {
                bail!("{trouble}\n  help: to see the other node without this one, name it too")
            }
            (None, Err(trouble)) => return Err(trouble.clone().into()),
        };
        let second = Port::new(&second, credentials)?;
        let other = second.status();
        if let (Ok(a), Ok(b)) = (&seen, &other)
            && (a.node != b.peer.node || b.node != a.peer.node || a.agent.me == b.agent.me)
        {
            bail!(
                "{} and {} are not a pair: they are {} of {}, and {} of {}",
                port.node,
                second.node,
                a.node,
                a.peer.node,
                b.node,
                b.peer.node
            );
        }
        let name = |seen: &Result<Seen, Trouble>, other: &Result<Seen, Trouble>, port: &Port<'_>| match (
            seen, other,
        ) {
            (Ok(seen), _) => seen.node.clone(),
            (_, Ok(other)) => other.peer.node.clone(),
            _ => port.node.clone(),
        };
        let names = [name(&seen, &other, &port), name(&other, &seen, &second)];
        let [first_name, second_name] = names;
        Ok(Pair {
            nodes: [
                Node { port, name: first_name, seen },
                Node { port: second, name: second_name, seen: other },
            ],
        })
    }

    /// Who serves clients, and the other one. Of two that say so, as it may be for a moment after a change, the one of the later
    /// epoch.
    pub fn leader(&self) -> Option<(&Node<'a>, &Node<'a>)> {
        let [a, b] = &self.nodes;
        let serves = |node: &Node<'_>| node.seen.as_ref().ok().and_then(|seen| seen.agent.serves);
        match (serves(a), serves(b)) {
            (None, None) => None,
            (a_serves, b_serves) if a_serves >= b_serves => Some((a, b)),
            _ => Some((b, a)),
        }
    }
}

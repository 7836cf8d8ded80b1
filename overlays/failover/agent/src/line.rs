//! What one node says to the other: datagrams that only the site's two nodes can make, and that count only while they are new.
//!
//! A datagram is a JSON body and the HMAC-SHA256 of it (RFC 2104) by the site's key. In it each start of an agent has a *session*, a
//! random number, and each says which session of the other one it last heard. Only what names the session that runs now is
//! new: a datagram that somebody recorded before this start is worth nothing, without any clock. Within a session numbers grow, and
//! what does not have a greater one does not count.

use geminios_failover_core::{Heartbeat, Side};
use hmac::{Hmac, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// Bytes of the largest datagram: one packet on any link (RFC 8200, section 5).
pub const LARGEST: usize = 1232;
const SUM: usize = 32;

/// The secret that both nodes of a site have, and nobody else.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl Key {
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        Key(key)
    }

    /// From its 64 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let bytes: Option<Vec<u8>> = text
            .as_bytes()
            .chunks(2)
            .map(|pair| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?))
            .collect();
        Some(Key(bytes?.try_into().ok()?))
    }

    fn mac(&self, body: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(body);
        Some(mac)
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(secret)")
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Datagram {
    from: Side,
    session: u64,
    /// The other one's session that was heard last.
    hears: Option<u64>,
    heartbeat: Heartbeat,
}

/// Why a datagram does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("it is no datagram of this protocol")]
    Foreign,
    #[error("it was made with another key: the other node is of another site, or its key was changed")]
    Key,
    #[error("it comes from this node itself")]
    Own,
    #[error("it belongs to a session that has ended")]
    Ended,
    #[error("it does not know this session yet")]
    Unknown,
    #[error("it, or a later one, was heard already")]
    Repeated,
}

/// Both directions.
#[derive(Clone, Debug)]
pub struct Line {
    key: Key,
    me: Side,
    session: u64,
    /// The other one's session that was heard last, new or not: it is told, so that the other one can show that it is new.
    hears: Option<u64>,
    /// The other one's sessions that were seen to be new, in their order. The last one runs.
    sessions: Vec<u64>,
    /// The number of the newest heartbeat of that one.
    newest: u64,
}

impl Line {
    /// `session`: random, of this start.
    #[must_use]
    pub fn new(key: Key, me: Side, session: u64) -> Self {
        Line { key, me, session, hears: None, sessions: Vec::new(), newest: 0 }
    }

    /// What the core says, as a datagram.
    #[must_use]
    pub fn seal(&self, heartbeat: Heartbeat) -> Vec<u8> {
        // The core numbers the other one's starts; the other one has to recognise its own.
        let answers = heartbeat.answers.and_then(|(start, number)| {
            Some((*self.sessions.get(usize::try_from(start).ok()?.checked_sub(1)?)?, number))
        });
        let heartbeat = Heartbeat { boot: self.session, answers, ..heartbeat };
        let datagram = Datagram { from: self.me, session: self.session, hears: self.hears, heartbeat };
        let mut bytes = serde_json::to_vec(&datagram).unwrap_or_default();
        if let Some(mac) = self.key.mac(&bytes) {
            bytes.extend_from_slice(&mac.finalize().into_bytes());
        }
        bytes
    }

    /// What the other one says, for the core; its start as a number that grows.
    ///
    /// # Errors
    /// It does not count.
    pub fn open(&mut self, bytes: &[u8]) -> Result<Heartbeat, Refused> {
        if bytes.len() > LARGEST {
            return Err(Refused::Foreign);
        }
        let (body, sum) = bytes.split_at_checked(bytes.len().wrapping_sub(SUM)).ok_or(Refused::Foreign)?;
        self.key.mac(body).ok_or(Refused::Key)?.verify_slice(sum).map_err(|_| Refused::Key)?;
        let datagram: Datagram = serde_json::from_slice(body).map_err(|_| Refused::Foreign)?;
        if datagram.from == self.me {
            return Err(Refused::Own);
        }
        let Datagram { session, hears, heartbeat, .. } = datagram;
        let start = match self.sessions.iter().position(|known| *known == session) {
            Some(at) if at + 1 < self.sessions.len() => return Err(Refused::Ended),
            Some(at) => at + 1,
            None => self.sessions.len() + 1,
        };
        self.hears = Some(session);
        if hears != Some(self.session) {
            return Err(Refused::Unknown);
        }
        if start > self.sessions.len() {
            self.sessions.push(session);
        } else if heartbeat.number <= self.newest {
            return Err(Refused::Repeated);
        }
        self.newest = heartbeat.number;
        Ok(Heartbeat { boot: start as u64, ..heartbeat })
    }
}

//! What one node says to the other: datagrams that only the site's two nodes can make, and that count only while they are new.
//!
//! A datagram is a JSON body and the HMAC-SHA256 of it (RFC 2104) by the site's key. In it each start of an agent has a *session*, a
//! random number, and in a session numbers grow. Sessions themselves have no order: which of two of the other one's runs now is
//! shown by what it has heard. A session counts only when it names a datagram of this one that was sent after the last time that
//! another session was heard. Neither what somebody recorded nor what comes late from before a restart can do that, and no clock is
//! needed.

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
    /// The other one's session that counts, and the number of the newest heartbeat of it.
    hears: Option<(u64, u64)>,
    /// The same of the last one that does not count: it can then show that it is new.
    greets: Option<(u64, u64)>,
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
    #[error("its session has not shown yet that it is new")]
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
    /// The other one's sessions that were seen to be new, in their order. The last one runs.
    sessions: Vec<u64>,
    /// The number of the newest heartbeat of that one.
    newest: u64,
    greets: Option<(u64, u64)>,
    /// The number of our newest heartbeat, and what it was when the session that runs was last heard: the next one has to know a
    /// later one.
    sent: u64,
    asked: u64,
}

impl Line {
    /// `session`: random, of this start.
    #[must_use]
    pub fn new(key: Key, me: Side, session: u64) -> Self {
        Line { key, me, session, sessions: Vec::new(), newest: 0, greets: None, sent: 0, asked: 0 }
    }

    /// What the core says, as a datagram.
    #[must_use]
    pub fn seal(&mut self, heartbeat: Heartbeat) -> Vec<u8> {
        self.sent = heartbeat.number;
        // The core numbers the other one's starts; the other one has to recognise its own.
        let answers = heartbeat.answers.and_then(|(start, number)| {
            Some((*self.sessions.get(usize::try_from(start).ok()?.checked_sub(1)?)?, number))
        });
        let heartbeat = Heartbeat { boot: self.session, answers, ..heartbeat };
        let hears = self.sessions.last().map(|session| (*session, self.newest));
        let datagram =
            Datagram { from: self.me, session: self.session, hears, greets: self.greets, heartbeat };
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
        let Datagram { session, hears, greets, heartbeat, .. } = datagram;
        match self.sessions.iter().position(|known| *known == session) {
            Some(at) if at + 1 < self.sessions.len() => return Err(Refused::Ended),
            Some(_) if heartbeat.number <= self.newest => return Err(Refused::Repeated),
            Some(_) => {}
            None => {
                let knows = |heard: &(u64, u64)| heard.0 == self.session && heard.1 > self.asked;
                if !hears.iter().chain(&greets).any(knows) {
                    self.greets = Some((session, heartbeat.number));
                    return Err(Refused::Unknown);
                }
                self.sessions.push(session);
                self.greets = None;
            }
        }
        (self.newest, self.asked) = (heartbeat.number, self.sent);
        Ok(Heartbeat { boot: self.sessions.len() as u64, ..heartbeat })
    }
}

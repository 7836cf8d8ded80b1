//! Questions and replies of our own service, version 1, as README.md has them. Nothing in them is secret; each is authenticated by the
//! site's key, and a reply is bound to its question.

use geminios_failover_core::Record;
use serde::{Deserialize, Serialize};

use crate::{Key, tag};

pub const VERSION: u32 = 1;
/// `POST` to this path.
pub const PATH: &str = "/v1";
/// The header with the body's HMAC.
pub const MAC: &str = "geminios-mac";
/// Of a body, in bytes.
pub const MOST: usize = 4096;

/// What must be understood of a question of any version before it is known who asks.
#[derive(Debug, Deserialize)]
pub struct Envelope {
    pub version: u32,
    pub site: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    pub version: u32,
    pub site: String,
    /// 128 random bits: no two questions are alike, so no reply belongs to two.
    pub nonce: String,
    pub ask: Ask,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    Read,
    Swap {
        #[serde(with = "tag::text")]
        expected: u64,
        /// The new tag's count is to be greater than that of this one.
        #[serde(with = "tag::text")]
        seen: u64,
        record: Record,
    },
}

impl Question {
    /// None if the system gives no randomness.
    pub fn new(site: &str, ask: Ask) -> Option<Self> {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).ok()?;
        Some(Question { version: VERSION, site: site.to_owned(), nonce: hex::encode(nonce), ask })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    Held {
        /// Whether the swap was carried out; false to a read.
        done: bool,
        #[serde(with = "tag::text")]
        tag: u64,
        record: Record,
    },
    /// [`crate::Error::New`]
    New,
    /// [`crate::Error::Damaged`]
    Damaged(String),
    /// [`crate::Error::NotKept`]
    NotKept(String),
    /// The question is of another version, or is none.
    NotUnderstood(String),
}

/// A body and the HMAC that goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    pub body: Vec<u8>,
    pub mac: [u8; 32],
}

// A reply can never be taken for a question, nor the other way round.
const QUESTION: &[u8] = b"geminios-witness question\n";
const REPLY: &[u8] = b"geminios-witness reply\n";

pub fn sign_question(key: &Key, body: Vec<u8>) -> Signed {
    let mac = key.mac(&[QUESTION, &body]);
    Signed { body, mac }
}

pub fn is_question(key: &Key, question: &Signed) -> bool {
    key.is_mac(&[QUESTION, &question.body], &question.mac)
}

/// `question` is the HMAC of what is replied to.
pub fn sign_reply(key: &Key, question: &[u8; 32], body: Vec<u8>) -> Signed {
    let mac = key.mac(&[REPLY, question, &body]);
    Signed { body, mac }
}

pub fn is_reply(key: &Key, question: &[u8; 32], reply: &Signed) -> bool {
    key.is_mac(&[REPLY, question, &reply.body], &reply.mac)
}

/// The HMAC of a header.
pub fn parse_mac(text: &[u8]) -> Option<[u8; 32]> {
    let mut mac = [0; 32];
    hex::decode_to_slice(text, &mut mac).ok()?;
    Some(mac)
}

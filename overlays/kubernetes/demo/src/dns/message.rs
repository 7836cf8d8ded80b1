//! Questions and answers as bytes (RFC 1035, section 4; RFC 3596 for IPv6).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Which addresses are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    A,
    Aaaa,
}

/// What a name server says.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// The name is there, perhaps without an address of this kind.
    Addresses(Vec<IpAddr>),
    NoSuchName,
}

const HEADER: usize = 12;
const INTERNET: u16 = 1;
const NO_SUCH_NAME: u16 = 3;

impl Kind {
    fn number(self) -> u16 {
        match self {
            Kind::A => 1,
            Kind::Aaaa => 28,
        }
    }
}

/// A question for a name without a dot at its end.
pub fn question(id: u16, name: &str, kind: Kind) -> Result<Vec<u8>, String> {
    // The second word: recursion desired. Then counts: one question and nothing else.
    let mut bytes: Vec<u8> = [id, 0x0100, 1, 0, 0, 0].iter().flat_map(|word| word.to_be_bytes()).collect();
    for label in name.split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length));
        bytes.push(length.ok_or_else(|| format!("`{name}` is not a name"))?);
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    if bytes.len() - HEADER > 255 {
        return Err(format!("`{name}` is too long for a name"));
    }
    bytes.extend([kind.number(), INTERNET].iter().flat_map(|word| word.to_be_bytes()));
    Ok(bytes)
}

/// What the bytes of an answer to question `id` say.
pub fn answer(bytes: &[u8], id: u16, kind: Kind) -> Result<Answer, String> {
    let broken = || "its answer is not one of the DNS".to_owned();
    let head: Vec<u16> = (0..HEADER).step_by(2).filter_map(|at| word(bytes, at)).collect();
    let &[answers_to, flags, questions, records, ..] = head.as_slice() else { return Err(broken()) };
    if answers_to != id || flags & 0x8000 == 0 {
        return Err("it answers another question".into());
    }
    match flags & 0xf {
        0 => {}
        NO_SUCH_NAME => return Ok(Answer::NoSuchName),
        code => return Err(format!("it refuses with code {code}")),
    }
    let mut at = HEADER;
    for _ in 0..questions {
        at = after_name(bytes, at).ok_or_else(broken)? + 4;
    }
    let mut found = Vec::new();
    for _ in 0..records {
        // Behind the name: type, class, time to live, length, data (section 3.2.1).
        at = after_name(bytes, at).ok_or_else(broken)?;
        let (this, length) = (word(bytes, at).ok_or_else(broken)?, word(bytes, at + 8).ok_or_else(broken)?);
        let data = bytes.get(at + 10..at + 10 + usize::from(length)).ok_or_else(broken)?;
        if this == kind.number() {
            found.push(address(data).ok_or_else(broken)?);
        }
        at += 10 + usize::from(length);
    }
    Ok(Answer::Addresses(found))
}

fn address(data: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(data).map(|bytes| Ipv4Addr::from(bytes).into());
    four.or_else(|_| <[u8; 16]>::try_from(data).map(|bytes| Ipv6Addr::from(bytes).into())).ok()
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// Where a name ends: with an empty label, or with a pointer to an earlier one (section 4.1.4).
fn after_name(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *bytes.get(at)? {
            0 => return Some(at + 1),
            length @ 1..=63 => at += 1 + usize::from(length),
            0xc0.. => return Some(at + 2),
            _ => return None,
        }
    }
}

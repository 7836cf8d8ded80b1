//! Tags: a count in the upper 32 bits, randomness in the lower.
//!
//! The count shows a register that was set back. The randomness, drawn for each swap, makes that a tag does not come again even then:
//! a register restored from a copy counts on from an old number, but not with the same tags (1 in 2^32 for each swap that is repeated).
//! At two swaps a second the count lasts 68 years.

use crate::Error;

/// The tag that follows `held`, and has a greater count than any that was `seen`. None if the count is used up, or the system gives no
/// randomness.
pub fn next(held: u64, seen: u64) -> Option<u64> {
    let count = count(held).max(count(seen)).checked_add(1)?;
    Some(u64::from(count) << 32 | u64::from(getrandom::u32().ok()?))
}

/// Of a register that is being made.
pub fn first() -> Option<u64> {
    getrandom::u32().ok().map(u64::from)
}

pub fn count(tag: u64) -> u32 {
    (tag >> 32) as u32
}

/// As it is written: JSON's numbers are not good for 64 bits everywhere.
pub mod text {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub fn serialize<S: Serializer>(tag: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{tag:016x}"))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let tag = digits.then(|| u64::from_str_radix(&text, 16).ok()).flatten();
        tag.ok_or_else(|| D::Error::custom("a tag has 16 hexadecimal digits"))
    }
}

/// What a client has seen, to notice a register that was set back.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    newest: Option<u64>,
    /// The greatest ever; a swap goes past it.
    pub greatest: u64,
    take: bool,
}

impl Seen {
    pub fn see(&mut self, place: &str, shown: u64) -> Result<(), Error> {
        let take = std::mem::take(&mut self.take);
        match self.newest {
            Some(seen) if shown != seen && count(shown) <= count(seen) && !take => {
                return Err(Error::SetBack { place: place.to_owned(), seen, shown });
            }
            _ => {}
        }
        self.newest = Some(shown);
        self.greatest = self.greatest.max(shown);
        Ok(())
    }

    pub fn take_what_is_there(&mut self) {
        self.take = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_back_is_noticed() {
        let (mut seen, place) = (Seen::default(), "here");
        let five = 5 << 32 | 77;
        assert_eq!(seen.see(place, five), Ok(()));
        assert_eq!(seen.see(place, five), Ok(()));
        for older in [5 << 32 | 78, 5 << 32 | 76, 4 << 32 | 99] {
            let refused = seen.see(place, older);
            assert_eq!(refused, Err(Error::SetBack { place: place.to_owned(), seen: five, shown: older }));
        }
        seen.take_what_is_there();
        assert_eq!(seen.see(place, 3 << 32), Ok(()));
        assert_eq!(count(next(3 << 32, seen.greatest).unwrap()), 6);
        assert!(seen.see(place, 2 << 32).is_err(), "only one older answer is taken");
    }

    #[test]
    fn the_count_ends_rather_than_begin_anew() {
        assert_eq!(next(u64::MAX, 0), None);
        assert_eq!(next(0, u64::MAX), None);
    }
}

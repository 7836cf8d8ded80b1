use geminios_failover_core::{By, Record, Side};

/// What a new register holds. Its number is less than that of any node's record, so no node takes it for its own, and a leader puts its
/// own over it.
pub const EMPTY: Record = Record { number: 0, by: By::Both, epoch: 0, leader: Side::A, alone: true };

/// How a record stands to what a register holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    Yes,
    /// A record only goes forward. The core never sends such a one.
    Older,
    /// See [`fits`].
    New,
}

/// Whether a record may follow what is held.
///
/// A new register knows nothing of its site: that its leader went on alone may have been decided in another one, now lost. A swap that
/// makes somebody lead alone ([`By::Witness`]) is therefore not taken as the first: the standby of a lone leader that is off would
/// otherwise lead without what that one acknowledged. A record of both nodes, or of a person, is.
pub fn fits(held: &Record, record: &Record) -> Fit {
    if record < held {
        Fit::Older
    } else if held.number == EMPTY.number && record.by == By::Witness {
        Fit::New
    } else {
        Fit::Yes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_register_takes_the_first_record_and_no_claim() {
        let first = Record::first(Side::B);
        assert!(EMPTY < first);
        assert_eq!(fits(&EMPTY, &first), Fit::Yes);
        assert_eq!(fits(&EMPTY, &EMPTY), Fit::Yes);
        let claim = Record { number: 2, by: By::Witness, ..first };
        assert_eq!(fits(&EMPTY, &claim), Fit::New);
        assert_eq!(fits(&first, &claim), Fit::Yes);
        assert_eq!(fits(&claim, &claim), Fit::Yes);
        assert_eq!(fits(&claim, &first), Fit::Older);
    }
}

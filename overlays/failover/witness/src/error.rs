/// Why a register gave no answer. A swap that ends so may have been carried out, or still be, unless the variant says that it was not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No answer within the deadline, or none that can be understood.
    #[error("the witness at {place} does not answer: {problem}\n  help: check the network, and that it runs")]
    Unreachable { place: String, problem: String },
    /// Who asked, or who answered, has not the site's key, or may not do this.
    #[error("the witness at {place} and this node do not know each other: {problem}\n  help: {help}")]
    Refused { place: String, problem: String, help: &'static str },
    /// There is no register. It is never made by itself: one that was lost must not look like a new one. Nothing was carried out.
    #[error(
        "there is no register at {place}\n  help: if this is a new site, make one with `geminios-witness`; \
         if not, it was lost: let the site's leader run before a new one is made"
    )]
    Missing { place: String },
    /// What is kept there is not what was written. Nothing was carried out.
    #[error(
        "the register at {place} is damaged: {problem}\n  help: put an intact copy back, or move it away and make a new one \
         while the site's leader runs"
    )]
    Damaged { place: String, problem: String },
    /// This client has seen a later tag: the register was set back, by a restored backup or by somebody between. Nothing was carried out.
    #[error(
        "the register at {place} was set back: it shows tag {shown:016x} and had {seen:016x}\n  \
         help: was a backup restored? A leader that runs puts the newer record there again"
    )]
    SetBack { place: String, seen: u64, shown: u64 },
    /// A new register takes as its first record only one that the nodes or a person decided on: see [`crate::fits`]. Nothing was
    /// carried out.
    #[error(
        "the register at {place} is new and cannot decide yet\n  help: let the site's leader run with its standby once, or tell a \
         node to lead, knowing that the other one is off"
    )]
    New { place: String },
    /// The record could not be kept there: a full or broken disk.
    #[error("the witness at {place} could not keep the record: {problem}\n  help: see to its disk")]
    NotKept { place: String, problem: String },
    /// What is there cannot be a register.
    #[error("{place} cannot be a witness: {problem}\n  help: {help}")]
    Unfit { place: String, problem: String, help: &'static str },
}

impl Error {
    pub(crate) fn unreachable(place: &str, problem: impl ToString) -> Self {
        Error::Unreachable { place: place.to_owned(), problem: problem.to_string() }
    }

    pub(crate) fn damaged(place: &str, problem: impl ToString) -> Self {
        Error::Damaged { place: place.to_owned(), problem: problem.to_string() }
    }

    pub(crate) fn not_kept(place: &str, problem: impl ToString) -> Self {
        Error::NotKept { place: place.to_owned(), problem: problem.to_string() }
    }

    pub(crate) fn missing(place: &str) -> Self {
        Error::Missing { place: place.to_owned() }
    }
}

//! Archive indices and a profile's wishes -> Lock. Pure: no I/O, no clock.
//!
//! The way through the room: [`verify_inrelease`] -> [`Index::add`] -> [`solve`] -> [`assemble`] -> [`diff`].

mod absence;
mod changes;
mod conflict;
mod date;
mod index;
mod plan;
mod relation;
mod release;
mod rivalry;
mod search;
mod signature;
mod solve;
mod stanza;
mod world;

pub use changes::{Change, ChangeKind, Changes, diff};
pub use conflict::{Conflict, Trouble};
pub use index::{Index, IndexError};
pub use plan::{PlanError, ScriptInfo, assemble, why, wishes_digest};
pub use relation::{Operator, Qualifier, Relation, RelationError, parse_relations};
pub use release::{
    Asked, IndexFile, Release, ReleaseError, ReleaseFields, ReleaseProblem, ReleaseTextError, parse_release,
    verify_inrelease,
};
pub use signature::{Key, KeyError, SignatureFault};
pub use solve::{NotLocked, Preferences, Solution, Wish, solve};
pub use stanza::IndexProblem;

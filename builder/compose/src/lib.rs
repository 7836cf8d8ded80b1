//! Packages and overlays into a tree: a file system held in memory, with owners, modes and times; bytes stay in the store.
//!
//! Maintainer scripts never run. What they would have done is done by declared fix-ups, and every script that an
//! installation would have run was looked at by somebody ([`geminios_model::ScriptTable`]).

mod about;
mod accounts;
mod caches;
mod compose;
mod content;
mod error;
mod fixups;
mod images;
mod initrd;
mod kernel;
mod lay;
mod merge;
mod modules;
mod prune;
mod replaces;
mod report;
mod rootfs;
mod scripts;
mod sysusers;
#[cfg(test)]
mod tests;
mod tools;
mod tree;
mod units;
mod var;

pub use about::{Data, data};
pub use compose::{Composed, Inputs, compose};
pub use content::Content;
pub use error::ComposeError;
pub use images::BuiltImage;
pub use kernel::Kernel;
pub use lay::BuiltProgram;
pub use report::{Installed, Over, Share};
pub use rootfs::{OverlaySource, RootfsEntry};
pub use scripts::ScriptError;
pub use tree::{Entry, Node, Owner, Tree};
